//! Alerts as they were at a time, from the last change of each in the history.

use std::{collections::VecDeque, sync::Arc};

use access::Scope;
use model::{
    clock::now_ms,
    live::{Alert, AlertList, AlertState, AlertTransition},
};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::{
    Alerting,
    history::{History, MAX_ANSWER},
};

/// Number of instants to cache.
const INSTANTS: usize = 16;
/// Lifetime of a cached instant, in milliseconds.
const LASTS_MS: i64 = 10_000;
/// Changes newer than this may not be written yet, so such instants are not cached.
const UNSETTLED_MS: i64 = 60_000;

/// Alerts that were pending or firing at an instant, regardless of scope.
#[derive(Debug)]
pub(crate) struct PastList {
    /// Most severe first.
    alerts: Vec<Alert>,
    /// Whether there were more alerts.
    is_cut: bool,
}

/// Cache of past lists. Concurrent requests for the same instant share one read.
#[derive(Debug, Default)]
pub(crate) struct PastLists(Mutex<VecDeque<Asked>>);

#[derive(Debug)]
struct Asked {
    at_ms: i64,
    asked_ms: i64,
    list: Arc<OnceCell<Arc<PastList>>>,
}

impl PastLists {
    fn of(&self, at_ms: i64, now_ms: i64) -> Arc<OnceCell<Arc<PastList>>> {
        let mut known = self.0.lock();
        known.retain(|asked| (asked.asked_ms..asked.asked_ms.saturating_add(LASTS_MS)).contains(&now_ms));
        if let Some(asked) = known.iter().find(|asked| asked.at_ms == at_ms) {
            return Arc::clone(&asked.list);
        }
        let list = Arc::<OnceCell<Arc<PastList>>>::default();
        if now_ms.saturating_sub(at_ms) >= UNSETTLED_MS {
            known.push_back(Asked { at_ms, asked_ms: now_ms, list: Arc::clone(&list) });
            let surplus = known.len().saturating_sub(INSTANTS);
            known.drain(..surplus);
        }
        list
    }
}

impl History {
    pub(crate) async fn alerts_at(&self, at_ms: i64, limit: usize) -> Result<Arc<PastList>, sqlx::Error> {
        let list = self.past.of(at_ms, now_ms());
        let read = async || {
            let mut changes = self.last_of_each(at_ms, limit.saturating_add(1)).await?;
            let is_cut = changes.len() > limit;
            changes.truncate(limit);
            Ok(Arc::new(PastList { alerts: standing(changes), is_cut }))
        };
        list.get_or_try_init(read).await.map(Arc::clone)
    }
}

impl Alerting {
    /// Alerts that were pending or firing at `at_ms` (milliseconds since the Unix epoch) and that `scope` may see, with
    /// the silences of that time; most severe first, at most `most`. `unavailable` says if there were more, or if the
    /// history does not cover the time; `without_rules` is set before the start of the history.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub async fn alerts_at(&self, scope: &Scope, at_ms: i64, most: usize) -> Result<AlertList, sqlx::Error> {
        let past = self.history().alerts_at(at_ms, MAX_ANSWER).await?;
        let mut list = past.seen_by(scope, most);
        let begins_ms = self.history().begins_ms();
        if list.alerts.is_empty() && at_ms < begins_ms {
            list.without_rules = true;
            list.unavailable = jiff::Timestamp::from_millisecond(begins_ms)
                .ok()
                .map(|begins| format!("The history of alerts begins {}", begins.strftime("%Y-%m-%d %H:%M UTC")));
        }
        self.0.notifier.mark_silenced_at(&mut list.alerts, at_ms);
        Ok(list)
    }
}

impl PastList {
    /// Those that were firing.
    pub(crate) fn firing(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.iter().filter(|alert| alert.state == AlertState::Firing)
    }

    fn seen_by(&self, scope: &Scope, most: usize) -> AlertList {
        let seen = || self.alerts.iter().filter(|alert| access::is_visible(scope, *alert));
        let more = seen().count().saturating_sub(most);
        let unavailable = match (self.is_cut, more) {
            (true, _) => Some(format!("there were more than {} at that time", self.alerts.len())),
            (false, 0) => None,
            (false, more) => {
                Some(format!("the {most} worst are listed, {more} more were pending or fired at that time"))
            }
        };
        AlertList { alerts: seen().take(most).cloned().collect(), unavailable, ..AlertList::default() }
    }
}

/// The alerts after these changes, most severe first.
fn standing(changes: Vec<AlertTransition>) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = changes.into_iter().map(|change| Alert { state: change.to, ..change.alert }).collect();
    alerts.sort_by(Alert::order);
    alerts
}

#[cfg(test)]
mod tests {
    use model::live::AlertState::{Firing, Inactive, Pending};
    use tempfile::TempDir;
    use tokio_util::sync::CancellationToken;

    use super::*;

    /// An hour ago; all changes of that time are written.
    fn then() -> i64 {
        now_ms() - 3_600_000
    }

    fn change(at: i64, name: &str, from: AlertState, to: AlertState) -> AlertTransition {
        let severity = name.split('-').next().unwrap_or_default().to_owned();
        let alert =
            Alert { name: name.to_owned(), fingerprint: name.to_owned(), severity, state: to, ..Alert::default() };
        AlertTransition { at, from, to, alert }
    }

    async fn history(changes: Vec<AlertTransition>) -> (TempDir, History) {
        let directory = tempfile::tempdir().unwrap();
        let (history, writer) = History::open(database::open(directory.path()).await.unwrap()).await.unwrap();
        history.remember(changes);
        let stop = CancellationToken::new();
        stop.cancel();
        writer.run(stop).await;
        (directory, history)
    }

    fn names(list: &AlertList) -> Vec<&str> {
        list.alerts.iter().map(|alert| alert.name.as_str()).collect()
    }

    #[tokio::test]
    async fn what_was_said_last_of_each_before_an_instant_counts_however_much_changed_since() {
        let at = then();
        let mut changes = vec![
            change(at - 90, "info-fires", Inactive, Pending),
            change(at - 80, "info-fires", Pending, Firing),
            change(at - 70, "over", Pending, Firing),
            change(at - 60, "waits", Inactive, Pending),
            change(at - 50, "over", Firing, Inactive),
            change(at - 40, "page-fires", Inactive, Firing),
            change(at, "warning-fires", Inactive, Firing),
            change(at + 1, "later", Inactive, Firing),
            change(at + 1, "page-fires", Firing, Inactive),
        ];
        // More changes of one alert than a response holds, between the others and the instant.
        changes.extend((0..10_500).map(|number| {
            let (from, to) = if number % 2 == 0 { (Inactive, Firing) } else { (Firing, Inactive) };
            change(at - 30, "flaps", from, to)
        }));
        let (_directory, history) = history(changes).await;
        let list = history.alerts_at(at, MAX_ANSWER).await.unwrap().seen_by(&Scope::all(), 200);
        assert_eq!(names(&list), ["page-fires", "warning-fires", "info-fires", "waits"]);
        assert_eq!(list.alerts.last().map(|alert| alert.state), Some(Pending));
        assert_eq!(list.unavailable, None);
        let later = history.alerts_at(at + 1, MAX_ANSWER).await.unwrap().seen_by(&Scope::all(), 200);
        assert_eq!(names(&later), ["warning-fires", "info-fires", "later", "waits"]);
    }

    #[tokio::test]
    async fn a_list_that_is_cut_says_so() {
        let at = then();
        let (_directory, history) =
            history(["page-a", "warning-b", "info-c"].map(|name| change(at, name, Inactive, Firing)).into()).await;
        let list = history.alerts_at(at, MAX_ANSWER).await.unwrap().seen_by(&Scope::all(), 2);
        assert_eq!(names(&list), ["page-a", "warning-b"]);
        assert_eq!(list.unavailable.unwrap(), "the 2 worst are listed, 1 more were pending or fired at that time");
        let cut = history.alerts_at(at + 1, 2).await.unwrap().seen_by(&Scope::all(), 200);
        assert_eq!(cut.alerts.len(), 2);
        assert_eq!(cut.unavailable.unwrap(), "there were more than 2 at that time");
    }

    #[tokio::test]
    async fn viewers_of_one_instant_share_what_was_read_and_few_instants_are_cached() {
        let at = then();
        let (_directory, history) = history(vec![change(at, "page-a", Inactive, Firing)]).await;
        let first = history.alerts_at(at, 5).await.unwrap();
        assert!(Arc::ptr_eq(&first, &history.alerts_at(at, 5).await.unwrap()));
        for number in 1..100 {
            history.alerts_at(at + number, 5).await.unwrap();
        }
        assert_eq!(history.past.0.lock().len(), INSTANTS);
        // An instant that may be incomplete is read each time.
        let now = now_ms();
        let young = history.alerts_at(now, 5).await.unwrap();
        assert!(!Arc::ptr_eq(&young, &history.alerts_at(now, 5).await.unwrap()));
        // A cached instant expires.
        let cell = history.past.of(at, now);
        assert!(!Arc::ptr_eq(&cell, &history.past.of(at, now + LASTS_MS)));
    }
}
