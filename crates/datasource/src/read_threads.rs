//! Threads that read for viewers, and that yield to all others: to those that evaluate rules, take in samples, serve sockets.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
};

use parking_lot::Mutex;

/// How nice the threads are, by setpriority(2): others get most of a processor that both want.
const NICENESS: i32 = 10;

type Work = Box<dyn FnOnce() + Send>;

/// A fixed number of threads. They end with it.
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
                tracing::error!(%error, "a thread for queries could not be started");
            }
        }
        ReadThreads { work }
    }

    /// Does it on one of the threads.
    pub(crate) fn run(&self, work: Work) {
        // Where no thread could be started, whoever waits for the result sees that there is none.
        let _ = self.work.send(work);
    }
}

fn serve(waiting: &Mutex<Receiver<Work>>) {
    #[cfg(target_os = "linux")]
    // Of this thread alone, and of those that it starts.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "a thread for queries has the same priority as others");
    }
    loop {
        let next = waiting.lock().recv();
        let Ok(work) = next else { return };
        // Who waits for the result sees that there is none.
        let _ = catch_unwind(AssertUnwindSafe(work));
    }
}
