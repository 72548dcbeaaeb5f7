//! Runs reads on threads with lower priority than everything else.
//!
//! All work for viewers passes here: evaluating, listing, drawing and exporting, for pages, live queries, the HTTP API,
//! federation and images. [`Admission`] decides which is next. Rules do not pass here: they have their own threads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use budget::{Budgets, MemoryBudget, Requester};
use tokio::sync::oneshot;

use crate::{
    ErrorKind, QueryError,
    admission::{Admission, LEAST_COST, MOST_WAITING, MostWaiting, ReadPermit},
    read_threads::ReadThreads,
};

/// Limits of pages that wait to be drawn.
const PAGES_WAITING: MostWaiting = MostWaiting { in_all: 16_384, of_token: 4_096 };

/// Runs reads. Cheap to clone.
#[derive(Clone)]
pub struct ReadScheduler {
    admission: Admission,
    /// Admits reads that another component does, such as the database, so that a slow one blocks no thread for others.
    elsewhere: Admission,
    threads: Arc<ReadThreads>,
}

/// Lets a running read check whether it should stop.
pub struct Reading<'a> {
    permit: &'a ReadPermit,
    abandoned: &'a AtomicBool,
    most_bytes: u64,
}

impl Reading<'_> {
    /// Whether to stop: nobody waits for it any more, or memory is nearly exhausted. A caller that gets true must stop.
    pub fn is_over(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed) || self.permit.is_aborted()
    }

    /// Checks whether to go on; call it between pieces of work.
    ///
    /// # Errors
    ///
    /// It should stop; the error is for those who still wait.
    pub fn check(&self) -> Result<(), QueryError> {
        if self.is_over() { Err(ended()) } else { Ok(()) }
    }

    /// Maximum memory of one read, in bytes: a larger estimate need not be exact.
    pub fn most_bytes(&self) -> u64 {
        self.most_bytes
    }
}

/// The error of a read that was aborted.
pub(crate) fn ended() -> QueryError {
    QueryError::new(ErrorKind::Busy, "the query was ended because the server's memory is nearly at its limit")
}

/// Tells a read on another thread that nobody waits for it any more.
struct Abandon(Arc<AtomicBool>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl ReadScheduler {
    /// Within the server's budgets: `slots` concurrent reads, of which one is reserved for other tokens, each waiting
    /// for at most `patience`.
    #[must_use]
    pub fn new(budgets: &Budgets, slots: usize, patience: Duration) -> Self {
        let admission = Admission::new(budgets, slots, patience);
        ReadScheduler {
            elsewhere: admission.beside(slots, MOST_WAITING, patience),
            admission,
            threads: Arc::new(ReadThreads::new(slots)),
        }
    }

    /// A scheduler for pages: their data is charged already, and a thousand viewers who open the same dashboard only
    /// wait for each other while it is drawn.
    #[must_use]
    pub fn for_pages(&self, slots: usize, patience: Duration) -> Self {
        ReadScheduler {
            admission: self.admission.beside(slots, PAGES_WAITING, patience),
            elsewhere: self.elsewhere.clone(),
            threads: Arc::new(ReadThreads::new(slots)),
        }
    }

    /// Admits reads.
    #[must_use]
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Admits reads that another component does.
    #[must_use]
    pub fn elsewhere(&self) -> &Admission {
        &self.elsewhere
    }

    /// The memory for reads.
    #[must_use]
    pub fn memory(&self) -> &MemoryBudget {
        self.admission.memory()
    }

    /// Maximum memory of one read, in bytes.
    #[must_use]
    pub fn most_bytes(&self) -> u64 {
        self.admission.most_bytes()
    }

    /// Waits until a read of the current task's requester with an estimated cost of `cost` bytes may run.
    async fn admit(&self, cost: u64) -> Result<ReadPermit, QueryError> {
        Ok(self.admission.admit(Requester::current().account(), cost).await?)
    }

    /// Runs a function on a thread for reads, and returns its result with the permit. The function can check whether
    /// anybody still waits for it.
    ///
    /// # Errors
    ///
    /// It panicked.
    async fn run<T: Send + 'static>(
        &self,
        permit: ReadPermit,
        read: impl FnOnce(&Reading) -> T + Send + 'static,
    ) -> Result<(T, ReadPermit), QueryError> {
        let (done, result) = oneshot::channel();
        let (abandoned, most_bytes) = (Arc::new(AtomicBool::new(false)), self.most_bytes());
        let _abandon = Abandon(Arc::clone(&abandoned));
        self.threads.run(Box::new(move || {
            let value = read(&Reading { permit: &permit, abandoned: &abandoned, most_bytes });
            // Nobody may wait for it any more.
            let _ = done.send((value, permit));
        }));
        result.await.map_err(|_| QueryError::new(ErrorKind::Internal, "the evaluation panicked: see the server's log"))
    }

    /// Estimates the cost of a read, admits it, and runs it. The estimate is part of the read, on the same threads.
    ///
    /// # Errors
    ///
    /// It exceeds a limit of memory or of waiting reads, or it panicked.
    pub async fn run_sized<T: Send + 'static>(
        &self,
        size: impl FnOnce(&Reading) -> u64 + Send + 'static,
        read: impl FnOnce(&Reading) -> T + Send + 'static,
    ) -> Result<(T, ReadPermit), QueryError> {
        let permit = self.admit(LEAST_COST).await?;
        let sized = move |reading: &Reading| {
            let cost = size(reading);
            if cost <= reading.permit.bytes() { Ok(read(reading)) } else { Err((cost, read)) }
        };
        let (cost, read) = match self.run(permit, sized).await? {
            (Ok(value), permit) => return Ok((value, permit)),
            (Err(larger), _small) => larger,
        };
        let permit = self.admit(cost).await?;
        self.run(permit, read).await
    }

    /// Like [`ReadScheduler::run_sized`], for reads other than queries. The result is charged until the requester's
    /// work is done.
    ///
    /// # Errors
    ///
    /// It exceeds a limit of memory or of waiting reads, it panicked, or it failed.
    pub async fn read_sized<T: Send + 'static>(
        &self,
        size: impl FnOnce(&Reading) -> u64 + Send + 'static,
        read: impl FnOnce(&Reading) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<T, QueryError> {
        let (value, permit) = self.run_sized(size, read).await?;
        let value = value?;
        permit.hold();
        Ok(value)
    }

    /// Admits and runs a read other than a query.
    ///
    /// # Errors
    ///
    /// It exceeds a limit of memory or of waiting reads, or it panicked.
    pub async fn read<T: Send + 'static>(
        &self,
        cost: u64,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, QueryError> {
        let permit = self.admit(cost).await?;
        let (value, permit) = self.run(permit, move |_| read()).await?;
        permit.hold();
        Ok(value)
    }

    /// Admits and runs a read whose memory is already charged.
    ///
    /// # Errors
    ///
    /// A limit of waiting reads is reached, or it panicked.
    pub async fn read_charged<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, QueryError> {
        let permit = self.admission.admit_charged(Requester::current().account()).await?;
        Ok(self.run(permit, move |_| read()).await?.0)
    }

    /// Admits a read that another component does, such as the database, and converts its result on a thread for reads.
    ///
    /// # Errors
    ///
    /// As [`ReadScheduler::read`].
    pub async fn read_after<T: Send + 'static, U: Send + 'static>(
        &self,
        cost: u64,
        first: impl Future<Output = T>,
        then: impl FnOnce(T) -> U + Send + 'static,
    ) -> Result<U, QueryError> {
        let account = Requester::current().account();
        let permit = self.elsewhere.admit(account, cost).await?;
        let found = first.await;
        let charge = permit.into_charge();
        let value = self.read_charged(move || then(found)).await?;
        Requester::hold(charge);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_that_hangs_holds_up_no_other_read() {
        let scheduler = ReadScheduler::new(&Budgets::of(1 << 30), 2, Duration::from_secs(10));
        let hanging: Vec<_> = (0..8)
            .map(|_| {
                let scheduler = scheduler.clone();
                tokio::spawn(async move { scheduler.read_after(0, std::future::pending::<()>(), drop).await })
            })
            .collect();
        while scheduler.elsewhere().running() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(scheduler.read(0, || 7).await.unwrap(), 7);
        hanging.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[tokio::test]
    async fn a_read_ends_when_nobody_waits_for_it() {
        let scheduler = ReadScheduler::new(&Budgets::of(1 << 30), 2, Duration::from_secs(10));
        let (begun, has_begun) = oneshot::channel();
        let endless = move |reading: &Reading| -> Result<(), QueryError> {
            begun.send(()).unwrap();
            loop {
                reading.check()?;
                std::thread::yield_now();
            }
        };
        let reads = scheduler.clone();
        let waits = tokio::spawn(async move { reads.read_sized(|_| 0, endless).await });
        has_begun.await.unwrap();
        waits.abort();
        while scheduler.admission().running() > 0 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_read_ends_when_memory_is_nearly_gone_and_says_so() {
        let scheduler = ReadScheduler::new(&Budgets::of(1), 2, Duration::from_secs(10));
        let admission = scheduler.admission().clone();
        let permit = admission.admit_charged("a".into()).await.unwrap();
        let read = move |reading: &Reading| {
            // This process uses more than that.
            admission.look();
            reading.check()
        };
        let (checked, _permit) = scheduler.run(permit, read).await.unwrap();
        assert_eq!(checked.unwrap_err().kind, ErrorKind::Busy);
    }

    #[tokio::test]
    async fn a_read_that_panics_takes_nothing_with_it() {
        let scheduler = ReadScheduler::new(&Budgets::of(1 << 30), 2, Duration::from_secs(10));
        for _ in 0..5 {
            let broken = scheduler.read(0, || assert_eq!(1 + 1, 3, "as it should")).await;
            assert_eq!(broken.unwrap_err().kind, ErrorKind::Internal);
        }
        assert_eq!(scheduler.read(0, || 7).await.unwrap(), 7);
        assert_eq!(scheduler.admission().running(), 0);
    }
}
