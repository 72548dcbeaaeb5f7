//! Reads at work, on threads that yield to everything else.
//!
//! Everything that viewers make the server evaluate, list, draw or export passes here: pages, live queries, the HTTP API, federation,
//! pictures. [`Admission`] says which is next. Rules do not pass here: they have threads of their own.

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

/// Pages that may wait to be drawn.
const PAGES_WAITING: MostWaiting = MostWaiting { in_all: 16_384, of_token: 4_096 };

/// Lets reads run. A cheap handle.
#[derive(Clone)]
pub struct ReadScheduler {
    admission: Admission,
    /// Gives turns to reads that another does: one that hangs keeps no thread from those that do not need it.
    elsewhere: Admission,
    threads: Arc<ReadThreads>,
}

/// What a read at work knows of those who wait for it.
pub struct Reading<'a> {
    permit: &'a ReadPermit,
    abandoned: &'a AtomicBool,
    most_bytes: u64,
}

impl Reading<'_> {
    /// Whether to stop: nobody waits for it any more, or memory is nearly gone. Whoever asks obeys.
    pub fn is_over(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed) || self.permit.is_aborted()
    }

    /// Goes on while it is wanted; to be asked between its pieces.
    ///
    /// # Errors
    /// What to say of its end to those who still wait.
    pub fn check(&self) -> Result<(), QueryError> {
        if self.is_over() { Err(ended()) } else { Ok(()) }
    }

    /// Most bytes of one read: what takes more is not looked up to its end.
    pub fn most_bytes(&self) -> u64 {
        self.most_bytes
    }
}

/// Why a read that somebody waits for was ended.
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
    /// Within the budgets of a server, `slots` reads at a time, of which one is left to other tokens, each of which waits for `patience` at
    /// most.
    #[must_use]
    pub fn new(budgets: &Budgets, slots: usize, patience: Duration) -> Self {
        let admission = Admission::new(budgets, slots, patience);
        ReadScheduler {
            elsewhere: admission.beside(slots, MOST_WAITING, patience),
            admission,
            threads: Arc::new(ReadThreads::new(slots)),
        }
    }

    /// Others for pages: what they are drawn from is charged already, and a thousand who open the same dashboard wait for each other only as
    /// long as it takes to draw.
    #[must_use]
    pub fn for_pages(&self, slots: usize, patience: Duration) -> Self {
        ReadScheduler {
            admission: self.admission.beside(slots, PAGES_WAITING, patience),
            elsewhere: self.elsewhere.clone(),
            threads: Arc::new(ReadThreads::new(slots)),
        }
    }

    /// What says which read is next.
    #[must_use]
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// What says which read that another does is next.
    #[must_use]
    pub fn elsewhere(&self) -> &Admission {
        &self.elsewhere
    }

    /// The memory for reads.
    #[must_use]
    pub fn memory(&self) -> &MemoryBudget {
        self.admission.memory()
    }

    /// Most bytes of one read.
    #[must_use]
    pub fn most_bytes(&self) -> u64 {
        self.admission.most_bytes()
    }

    /// Waits until a read of the current task's requester may run that takes about `cost` bytes.
    async fn admit(&self, cost: u64) -> Result<ReadPermit, QueryError> {
        Ok(self.admission.admit(Requester::current().account(), cost).await?)
    }

    /// Runs something on a thread for reads, which yields to all other work, and gives the permit back with what it returns. It learns when
    /// nobody waits for that any more.
    ///
    /// # Errors
    /// It broke off.
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
        result.await.map_err(|_| QueryError::new(ErrorKind::Internal, "the evaluation broke off: see the server's log"))
    }

    /// Admits a read and runs it, after it has said what it takes: that is looked up as part of the read, on the same threads.
    ///
    /// # Errors
    /// It takes more than any read may, too many wait, its turn did not come in time, or it broke off.
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

    /// As [`ReadScheduler::run_sized`], for what is no query. What it returns is charged until the requester's work is done.
    ///
    /// # Errors
    /// It takes more than any read may, too many wait, its turn did not come in time, it broke off or it failed.
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

    /// Admits a read and runs it: for what is no query.
    ///
    /// # Errors
    /// It takes more than any read may, too many wait, its turn did not come in time, or it broke off.
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

    /// Admits and runs what is charged already.
    ///
    /// # Errors
    /// Too many wait, its turn did not come in time, or it broke off.
    pub async fn read_charged<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, QueryError> {
        let permit = self.admission.admit_charged(Requester::current().account()).await?;
        Ok(self.run(permit, move |_| read()).await?.0)
    }

    /// Admits a read that another does, such as the database, and has the answer made of what it gives on a thread for reads.
    ///
    /// # Errors
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
            // This process takes more than that.
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
