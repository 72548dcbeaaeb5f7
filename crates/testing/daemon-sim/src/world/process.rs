//! The daemon's own process: memory with garbage collection, goroutines, CPU, connections.

use crate::{
    dice::Dice,
    number::{real, whole},
};

const MIB: f64 = 1_048_576.0;
/// Memory of the runtime in addition to heap and stacks.
const RUNTIME: f64 = 74.0 * MIB;
/// Maximum size of a leak.
const LEAK_LIMIT: f64 = 1_450.0 * MIB;

/// State of the process.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// Allocated on the heap, garbage included.
    heap: f64,
    /// Heap that survives a collection.
    live: f64,
    /// Leaked memory.
    leaked: f64,
    /// Memory from the operating system.
    sys: f64,
    noise: f64,
    /// CPU load of the last collection, which decays.
    collecting: f64,
    cpu: f64,
    http: f64,
    visitors: f64,
    goroutines: f64,
    pool_active: f64,
    pool_max: f64,
}

/// The load on the process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Running jobs.
    pub(crate) active: usize,
    /// Load compared with the usual number of jobs.
    pub(crate) scale: f64,
    /// Stored jobs.
    pub(crate) remembered: usize,
    /// HTTP requests per second.
    pub(crate) request_rate: f64,
    /// 1 normally, more when answers are slow.
    pub(crate) strain: f64,
    pub(crate) leaking: bool,
    /// Load by hour, around 1.
    pub(crate) rhythm: f64,
    /// Whether there are simulated clients in addition to the real ones.
    pub(crate) visited: bool,
}

impl Process {
    pub(crate) fn new() -> Self {
        Process {
            heap: 190.0 * MIB,
            live: 170.0 * MIB,
            leaked: 0.0,
            sys: 420.0 * MIB,
            noise: 0.0,
            collecting: 0.0,
            cpu: 12.0,
            http: 12.0,
            visitors: 5.0,
            goroutines: 90.0,
            pool_active: 0.0,
            pool_max: 64.0,
        }
    }

    /// Advances by one second.
    pub(crate) fn second(&mut self, dice: &mut Dice, load: Load) {
        let active = real(load.active);
        self.visitors =
            if load.visited { dice.drift(self.visitors, 6.0 * load.rhythm, 0.004, 0.12).max(1.0) } else { 0.0 };
        self.http =
            dice.drift(self.http, 9.0 + 0.5 * active + load.request_rate * load.strain * 0.4, 0.05, 0.7).max(2.0);
        self.pool_max = (64.0 * load.scale).ceil().max(16.0);
        self.pool_active = dice.drift(self.pool_active, 1.9 * active, 0.12, 0.8).clamp(0.0, self.pool_max);

        if load.leaking {
            self.leaked = (self.leaked + dice.between(0.6, 1.3) * MIB).min(LEAK_LIMIT);
        } else {
            self.leaked *= 0.985;
        }
        let wanted = (150.0 + 11.0 * active.min(400.0) + 0.05 * real(load.remembered)) * MIB + self.leaked;
        self.live += 0.02 * (wanted - self.live);
        self.heap += (0.35 + 0.07 * active.min(400.0) + 0.03 * load.request_rate) * dice.between(0.6, 1.4) * MIB;
        self.heap = self.heap.max(self.live);
        self.collecting *= 0.7;
        if self.heap > 1.7 * self.live {
            self.heap = self.live * dice.between(1.02, 1.06);
            self.collecting = dice.between(14.0, 26.0);
        }

        self.noise = dice.drift(self.noise, 0.0, 0.08, 1.3);
        let busy = 7.0 + 1.7 * active / load.scale.max(0.05) + 0.5 * load.request_rate + 7.0 * (load.strain - 1.0);
        self.cpu = (busy + self.collecting + self.noise).clamp(0.4, 99.6);
        let leaked_routines = self.leaked / MIB * 0.85;
        self.goroutines =
            (84.0 + 15.0 * active + 2.0 * self.http + 3.0 * self.visitors + leaked_routines + 2.0 * self.noise)
                .max(30.0);
        let needed = self.heap * 1.12 + self.stack() + RUNTIME;
        self.sys = needed.max(self.sys - 0.0012 * (self.sys - needed).max(0.0));
    }

    pub(crate) fn heap(&self) -> f64 {
        self.heap.round()
    }

    pub(crate) fn stack(&self) -> f64 {
        (2.0 * MIB + self.goroutines * 9_216.0).round()
    }

    pub(crate) fn sys(&self) -> f64 {
        self.sys.round()
    }

    /// Total memory in use.
    pub(crate) fn total(&self) -> f64 {
        self.heap() + self.stack() + RUNTIME
    }

    /// Percent.
    pub(crate) fn cpu(&self) -> f64 {
        (self.cpu * 100.0).round() / 100.0
    }

    pub(crate) fn goroutines(&self) -> u64 {
        whole(self.goroutines)
    }

    /// Number of simulated clients of the live feed.
    pub(crate) fn visitors(&self) -> u64 {
        whole(self.visitors)
    }

    pub(crate) fn http_connections(&self) -> u64 {
        whole(self.http)
    }

    pub(crate) fn pool_active(&self) -> u64 {
        whole(self.pool_active)
    }

    pub(crate) fn pool_max(&self) -> u64 {
        whole(self.pool_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Load = Load {
        active: 14,
        scale: 1.0,
        remembered: 400,
        request_rate: 9.0,
        strain: 1.0,
        leaking: false,
        rhythm: 1.0,
        visited: true,
    };

    #[test]
    fn memory_grows_and_is_collected() {
        let (mut process, mut dice) = (Process::new(), Dice::new(2));
        let (mut falls, mut last, mut highest) = (0, 0.0, 0.0_f64);
        for second in 0..7_200 {
            process.second(&mut dice, CALM);
            falls += usize::from(process.heap() < last - 50.0 * MIB);
            last = process.heap();
            if second > 600 {
                highest = highest.max(process.total());
            }
        }
        assert!((5..200).contains(&falls), "{falls} collections in two hours");
        assert!(highest < 1.2e9, "calm memory stays green: {highest}");
    }

    #[test]
    fn a_leak_passes_the_thresholds_and_is_forgotten() {
        let (mut process, mut dice) = (Process::new(), Dice::new(2));
        for _ in 0..1_200 {
            process.second(&mut dice, Load { leaking: true, ..CALM });
        }
        assert!(process.total() > 1.4e9 && process.goroutines() > 900, "{} {}", process.total(), process.goroutines());
        for _ in 0..1_200 {
            process.second(&mut dice, CALM);
        }
        assert!(process.total() < 1.2e9 && process.goroutines() < 700, "{} {}", process.total(), process.goroutines());
    }
}
