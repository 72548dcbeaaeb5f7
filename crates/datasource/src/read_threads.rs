//! Threads for viewers' reads, at a lower priority than rule evaluation, ingestion and sockets.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
};

use parking_lot::Mutex;

/// Nice value of the threads, by setpriority(2): others get most of a CPU that both want.
const NICENESS: i32 = 10;

type Work = Box<dyn FnOnce() + Send>;

/// A fixed number of threads. They end when this is dropped.
pub(crate) struct ReadThreads {
    work: Sender<Work>,
}

impl ReadThreads {
    pub(crate) fn new(count: usize) -> Self {
        let (work, waiting) = channel::<Work>();
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..count {
            let waiting = Arc::clone(&waiting);
            let begun = std::thread::Builder::new().name(format!("read-{number}")).spawn(move || serve(&waiting));
            if let Err(error) = begun {
                tracing::error!(%error, "cannot start a thread for queries");
            }
        }
        ReadThreads { work }
    }

    /// Runs work on one of the threads.
    pub(crate) fn run(&self, work: Work) {
        // If no thread could be started, the receiver of the result gets an error.
        let _ = self.work.send(work);
    }
}

fn serve(waiting: &Mutex<Receiver<Work>>) {
    #[cfg(target_os = "linux")]
    // Only for this thread and those that it starts.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "a thread for queries has the same priority as others");
    }
    loop {
        let next = waiting.lock().recv();
        let Ok(work) = next else { return };
        // After a panic, the receiver of the result gets an error.
        let _ = catch_unwind(AssertUnwindSafe(work));
    }
}
