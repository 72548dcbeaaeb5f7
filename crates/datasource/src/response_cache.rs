//! Responses of an engine that are served again for a moment: a page that many load at once asks for the same times.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use budget::{Charge, OverBudget, json};
use moka::sync::Cache;
use parking_lot::Mutex;

use crate::transport::{Asked, EngineResponse};

/// Most bytes of responses, with what was asked.
const MAX_BYTES: u64 = 16 << 20;
/// Longest time for which a response is served: `moka` takes no more than a thousand years.
const LONGEST: Duration = Duration::from_secs(86_400);

/// The cache of one engine. It is charged to nobody, since it is small; responses are charged while somebody has them.
pub(crate) struct ResponseCache(Cache<Asked, Arc<CachedResponse>>);

struct CachedResponse {
    /// Without its charge.
    response: EngineResponse,
    /// Shared by all who have it now.
    charge: Mutex<Weak<Charge>>,
}

impl ResponseCache {
    /// Serves each response for `time_to_live`.
    pub(crate) fn new(time_to_live: Duration) -> Self {
        let cache = Cache::builder()
            .max_capacity(MAX_BYTES)
            .weigher(|asked, cached: &Arc<CachedResponse>| weight(asked, &cached.response))
            .time_to_live(time_to_live.min(LONGEST));
        ResponseCache(cache.build())
    }

    /// A response, charged once for all who have it: with `charge` if nobody has.
    pub(crate) fn get(
        &self,
        asked: &Asked,
        charge: impl FnOnce(u64) -> Result<Option<Charge>, OverBudget>,
    ) -> Option<EngineResponse> {
        let cached = self.0.get(asked)?;
        let mut shared = cached.charge.lock();
        let charge = match shared.upgrade() {
            Some(charge) => Some(charge),
            // Where there is no room, who wants it waits for a turn.
            None => charge(json::weight(&cached.response.body)).ok()?.map(Arc::new),
        };
        *shared = charge.as_ref().map(Arc::downgrade).unwrap_or_default();
        Some(EngineResponse { charge, ..cached.response.clone() })
    }

    /// Adds a response: a fresh one in place of the one before, another one only where there is none.
    pub(crate) fn put(&self, asked: Asked, response: &EngineResponse, is_fresh: bool) {
        let cached = Arc::new(CachedResponse {
            response: EngineResponse { charge: None, ..response.clone() },
            charge: Mutex::new(response.charge.as_ref().map(Arc::downgrade).unwrap_or_default()),
        });
        if is_fresh {
            self.0.insert(asked, cached);
        } else {
            self.0.entry(asked).or_insert(cached);
        }
        // Else what is too much would stay for a while.
        self.0.run_pending_tasks();
    }
}

fn weight((path, pairs): &Asked, response: &EngineResponse) -> u32 {
    let pairs: usize = pairs.iter().map(|(name, value)| size_of::<(String, String)>() + name.len() + value.len()).sum();
    let bytes = size_of::<(Asked, CachedResponse)>() + path.len() + pairs + response.body.len();
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use budget::Budgets;
    use bytes::Bytes;
    use reqwest::StatusCode;

    use super::*;

    const LONG: Duration = Duration::MAX;

    fn asked(path: &str) -> Asked {
        (path.to_owned(), Vec::new())
    }

    fn response(body: impl Into<Bytes>) -> EngineResponse {
        EngineResponse { status: StatusCode::OK, content_type: None, body: body.into(), charge: None }
    }

    fn body(cache: &ResponseCache, path: &str) -> Option<Bytes> {
        cache.get(&asked(path), |_| Ok(None)).map(|response| response.body)
    }

    #[test]
    fn a_response_is_charged_while_somebody_has_it() {
        let reads = Budgets::of(100 << 20).reads;
        let token = Arc::<str>::from("a");
        let body = Bytes::from(format!("[{}1]", "1,".repeat(1_000)));
        let weight = json::weight(&body);
        let charge = Some(Arc::new(reads.charge(&token, weight).unwrap()));
        let response = EngineResponse { charge, ..response(body) };
        let (cache, asked) = (ResponseCache::new(LONG), asked("query"));
        cache.put(asked.clone(), &response, false);
        let get = || cache.get(&asked, |bytes| reads.charge(&token, bytes).map(Some));

        assert!(get().is_some());
        assert_eq!(reads.used(), weight, "it is charged once");
        drop(response);
        assert_eq!(reads.used(), 0, "nobody has it");
        let again = [get().unwrap(), get().unwrap()];
        assert_eq!(reads.used(), weight);
        drop(again);
        assert_eq!(reads.used(), 0);

        let full = reads.charge(&token, reads.token_limit()).unwrap();
        assert!(get().is_none(), "there is no room for it");
        drop(full);
        assert!(get().is_some());
    }

    #[test]
    fn only_a_fresh_response_replaces_another() {
        let cache = ResponseCache::new(LONG);
        for (new, is_fresh, expected) in [("1", false, "1"), ("2", false, "1"), ("3", true, "3")] {
            cache.put(asked("query"), &response(new), is_fresh);
            assert_eq!(body(&cache, "query").as_deref(), Some(expected.as_bytes()));
        }
    }

    #[test]
    fn a_response_is_served_for_a_time() {
        let cache = ResponseCache::new(Duration::from_millis(1));
        cache.put(asked("query"), &response("1"), false);
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(body(&cache, "query"), None);
    }

    #[test]
    fn its_size_is_bounded() {
        let cache = ResponseCache::new(LONG);
        for number in 0..64 {
            cache.put(asked(&number.to_string()), &response(vec![b'1'; 1 << 20]), false);
            assert!(cache.0.weighted_size() <= MAX_BYTES);
        }
        assert!(cache.0.weighted_size() > MAX_BYTES / 2);
        cache.put(asked("large"), &response(vec![b'1'; 17 << 20]), false);
        assert_eq!(body(&cache, "large"), None);
    }
}
