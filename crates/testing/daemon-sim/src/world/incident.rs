//! Incidents from time to time: many failed jobs, slow answers, waves of jobs, a memory leak.

use super::provider::Provider;
use crate::{dice::Dice, number::milliseconds};

const MINUTE: f64 = 60.0;

/// A kind of incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Most jobs of a provider fail.
    Failures,
    /// Requests take several times as long, and some fail.
    SlowAnswers,
    /// A provider gets many jobs at the same time.
    Wave,
    /// Memory and goroutines grow for a while.
    Leak,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Failures, Kind::SlowAnswers, Kind::Wave, Kind::Leak];

    /// Usual interval in seconds.
    fn period(self) -> f64 {
        match self {
            Kind::Failures => 75.0 * MINUTE,
            Kind::SlowAnswers => 90.0 * MINUTE,
            Kind::Wave => 60.0 * MINUTE,
            Kind::Leak => 130.0 * MINUTE,
        }
    }

    /// Minimum and maximum duration in seconds. A wave is instantaneous.
    fn duration(self) -> (f64, f64) {
        match self {
            Kind::Failures => (5.0 * MINUTE, 12.0 * MINUTE),
            Kind::SlowAnswers => (3.0 * MINUTE, 9.0 * MINUTE),
            Kind::Wave => (0.0, 0.0),
            Kind::Leak => (12.0 * MINUTE, 25.0 * MINUTE),
        }
    }
}

/// The next incident of each kind, and the active ones.
#[derive(Debug, Clone)]
pub(crate) struct Incidents {
    plans: [Plan; 4],
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    kind: Kind,
    provider: Provider,
    starts_ms: i64,
    ends_ms: i64,
}

impl Plan {
    /// The next incident after `now_ms`, after 0.5 to 1.5 times the usual interval.
    fn next(kind: Kind, dice: &mut Dice, now_ms: i64) -> Self {
        let (shortest, longest) = kind.duration();
        let starts_ms = now_ms + milliseconds(kind.period() * dice.between(0.5, 1.5));
        Plan {
            kind,
            provider: dice
                .pick_weighted(&Provider::ALL, |provider| provider.traits().weight)
                .copied()
                .unwrap_or(Provider::Kvm),
            starts_ms,
            ends_ms: starts_ms + milliseconds(dice.between(shortest, longest)),
        }
    }
}

impl Incidents {
    pub(crate) fn new(dice: &mut Dice, now_ms: i64) -> Self {
        Incidents { plans: Kind::ALL.map(|kind| Plan::next(kind, dice, now_ms)) }
    }

    /// Advances to `now_ms`; returns the provider of a wave that begins now.
    pub(crate) fn advance(&mut self, dice: &mut Dice, now_ms: i64) -> Option<Provider> {
        let mut wave = None;
        for plan in &mut self.plans {
            if now_ms >= plan.ends_ms {
                if plan.kind == Kind::Wave {
                    wave = Some(plan.provider);
                }
                *plan = Plan::next(plan.kind, dice, now_ms);
            }
        }
        wave
    }

    /// The provider of an active incident of this kind.
    pub(crate) fn on(&self, kind: Kind, now_ms: i64) -> Option<Provider> {
        self.plans
            .iter()
            .find(|plan| plan.kind == kind && (plan.starts_ms..plan.ends_ms).contains(&now_ms))
            .map(|plan| plan.provider)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_hours_see_each_kind() {
        for seed in 0..20 {
            let mut dice = Dice::new(seed);
            let mut incidents = Incidents::new(&mut dice, 0);
            let (mut waves, mut failing, mut slow, mut leaking) = (0, 0, 0, 0);
            for second in 0..6 * 3600 {
                let now = second * 1000;
                waves += usize::from(incidents.advance(&mut dice, now).is_some());
                failing += usize::from(incidents.on(Kind::Failures, now).is_some());
                slow += usize::from(incidents.on(Kind::SlowAnswers, now).is_some());
                leaking += usize::from(incidents.on(Kind::Leak, now).is_some());
            }
            assert!((3..=12).contains(&waves), "{seed}: {waves} waves");
            assert!(failing >= 300 && slow >= 180 && leaking >= 720, "{seed}: {failing} {slow} {leaking}");
            assert!(failing + slow + leaking < 6 * 3600, "{seed}: mostly calm");
        }
    }
}
