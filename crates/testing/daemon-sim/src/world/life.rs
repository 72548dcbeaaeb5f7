//! One tick of the world: jobs are submitted, start, progress and end; users send requests; the process's load changes.

use std::f64::consts::TAU;

use super::{
    ACTIVE_LIMIT, Event, Job, Profile, Provider, Status, TICK_MS, USUAL_JOBS_PER_MINUTE, World, alert, http,
    incident::Kind, job::Fate, process::Load, provider::PerProvider,
};
use crate::number::{milliseconds, real, real_bytes, seconds, whole};

impl World {
    pub(super) fn tick(&mut self) {
        let whole_second = self.now_ms.rem_euclid(1000) < TICK_MS;
        if self.scale > 0.0 {
            self.submit_random();
        }
        self.start_pending();
        if whole_second {
            self.vary();
        }
        self.work(whole_second);
        let strain = if self.incidents.on(Kind::SlowAnswers, self.now_ms).is_some() { 5.0 } else { 1.0 };
        let working = self.active.iter().filter(|job| job.working).count();
        let request_rate = http::rate(self.rhythm(), working);
        self.traffic.tick(
            &mut self.dice,
            (&self.rows, &mut self.values),
            request_rate,
            seconds(TICK_MS),
            strain,
            |request| {
                if self.options.profile == Profile::Daemon {
                    // Most requests concern a running job.
                    let turn = usize::try_from(self.now_ms / TICK_MS).unwrap_or(0);
                    let asked_for = self.active.get(turn % self.active.len().max(1));
                    self.endpoints.record(request, asked_for.map_or("unknown", |job| &job.id));
                }
            },
        );
        if whole_second {
            let load = Load {
                active: working,
                scale: self.scale,
                remembered: self.finished.len(),
                request_rate,
                strain,
                leaking: self.incidents.on(Kind::Leak, self.now_ms).is_some(),
                rhythm: self.rhythm(),
                visited: self.options.profile == Profile::Fleet,
            };
            self.process.second(&mut self.dice, load);
        }
        if self.now_ms.rem_euclid(alert::CHECK_MS) < TICK_MS {
            self.sample();
            for alert in self.alerts.check(&self.rows, &self.values, self.now_ms) {
                self.push(Event::Alert(alert));
            }
        }
    }

    /// Load of this hour, around 1: highest in the early afternoon, with a smaller peak of backups at night.
    fn rhythm(&self) -> f64 {
        let day = seconds(self.now_ms.rem_euclid(86_400_000)) / 86_400.0;
        1.0 + 0.18 * (TAU * (day - 0.33)).sin() + 0.12 * (2.0 * TAU * (day - 0.02)).sin()
    }

    fn submit_random(&mut self) {
        let per_tick = self.scale * USUAL_JOBS_PER_MINUTE * 0.84 * self.rhythm() * seconds(TICK_MS) / 60.0;
        for _ in 0..self.dice.poisson(per_tick) {
            let provider = self
                .dice
                .pick_weighted(&Provider::ALL, |provider| provider.traits().weight)
                .copied()
                .unwrap_or(Provider::Kvm);
            self.submit_at(provider);
        }
        if let Some(provider) = self.incidents.advance(&mut self.dice, self.now_ms) {
            let size = whole((10.0 + real(self.dice.below(26))) * self.scale);
            for _ in 0..size {
                self.submit_at(provider);
            }
        }
    }

    fn submit_at(&mut self, provider: Provider) {
        if self.active.len() >= ACTIVE_LIMIT {
            return;
        }
        let provider = if self.options.profile == Profile::Daemon { Provider::Vsphere } else { provider };
        let job = Job::random(&mut self.dice, provider, self.now_ms);
        self.enqueue(job);
    }

    /// Starts the oldest pending jobs for which there is a slot.
    pub(super) fn start_pending(&mut self) {
        if !self.active.iter().any(|job| job.status == Status::Pending && !job.manual) {
            return;
        }
        let mut busy = PerProvider::<usize>::default();
        for job in self.active.iter().filter(|job| job.working) {
            *busy.get_mut(job.provider) += 1;
        }
        let mut jobs = std::mem::take(&mut self.active);
        for job in jobs.iter_mut().filter(|job| job.status == Status::Pending && !job.manual) {
            let busy = busy.get_mut(job.provider);
            if real(*busy) < self.slots(job.provider) {
                *busy += 1;
                self.start(job);
            }
        }
        self.active = jobs;
    }

    fn slots(&self, provider: Provider) -> f64 {
        match self.options.profile {
            Profile::Daemon => f64::INFINITY,
            Profile::Fleet => (provider.traits().slots * self.scale).ceil().max(1.0),
        }
    }

    fn start(&mut self, job: &mut Job) {
        let failing = self.incidents.on(Kind::Failures, self.now_ms) == Some(job.provider);
        let likely = if failing { 0.6 } else { 0.034 };
        job.fate = if self.dice.chance(likely) {
            let share =
                if self.dice.chance(0.3) { 0.0 } else { self.dice.between(0.02, if failing { 0.3 } else { 0.97 }) };
            Fate::Fails(share, self.dice.pick(job.provider.traits().failures).copied().unwrap_or("export failed"))
        } else if self.dice.chance(0.013) {
            Fate::IsCancelled(self.dice.between(0.05, 0.9))
        } else {
            Fate::Completes
        };
        job.connected_at_ms = self.now_ms + milliseconds(self.dice.between(2.0, 14.0));
        job.vigour = self.dice.log_normal(1.0, 0.25);
        self.begin(job);
    }

    /// The slow variations of providers and jobs, and stalls.
    fn vary(&mut self) {
        for provider in Provider::ALL {
            let pressure = self.pressure.get_mut(provider);
            *pressure = self.dice.drift(*pressure, 1.0, 0.006, 0.012).clamp(0.45, 1.5);
        }
        let failing = self.incidents.on(Kind::Failures, self.now_ms);
        for job in self.active.iter_mut().filter(|job| job.working && !job.manual) {
            job.vigour = self.dice.drift(job.vigour, 1.0, 0.02, 0.035).clamp(0.35, 1.8);
            if self.dice.chance(0.0012) {
                job.stalled_until_ms = self.now_ms + milliseconds(self.dice.between(2.0, 14.0));
            }
            if failing == Some(job.provider) && self.dice.chance(0.0015) {
                let reason = self.dice.pick(job.provider.traits().failures).copied().unwrap_or("export failed");
                job.fate = Fate::Fails(0.0, reason);
            }
        }
    }

    /// Transfers the bytes of a tick and ends jobs that are due.
    fn work(&mut self, whole_second: bool) {
        let mut jobs = std::mem::take(&mut self.active);
        let mut any_ended = false;
        for job in jobs.iter_mut().filter(|job| job.working && !job.manual) {
            if whole_second {
                job.updated_ms = self.now_ms;
            }
            if self.now_ms < job.connected_at_ms {
                continue;
            }
            let total = real_bytes(job.bytes_total);
            job.rate = if self.now_ms < job.stalled_until_ms {
                0.0
            } else {
                job.provider.traits().rate * job.streams * job.vigour * self.pressure.get(job.provider)
            };
            let moved = (job.rate * seconds(TICK_MS)).min(total - job.moved).max(0.0);
            job.moved += moved;
            self.values.add(*self.rows.bytes.get(job.provider), moved.floor());
            let fated = job.moved / total.max(1.0) >= job.fated_share();
            match job.fate.clone() {
                Fate::Fails(_, reason) if fated => self.end(job, Status::Failed, Some(reason.to_owned())),
                Fate::IsCancelled(_) if fated => self.cancel_job(job),
                _ if job.moved >= total => self.end(job, Status::Completed, None),
                _ => {}
            }
            any_ended |= job.ended();
        }
        self.active = jobs;
        if any_ended {
            self.retire();
        }
    }
}
