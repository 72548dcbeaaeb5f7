//! Splits work on many series between threads.

/// With fewer points a thread costs more than it saves.
const WORTHWHILE: usize = 200_000;

/// Runs `work` over all items, in as many parts as are useful; returns the parts' results in order.
pub(super) fn split<T: Send, R: Send>(
    items: Vec<T>,
    points: usize,
    threads: usize,
    work: impl Fn(Vec<T>) -> R + Sync,
) -> Vec<R> {
    let parts = threads.min(points / WORTHWHILE).min(items.len());
    if parts < 2 || cfg!(target_arch = "wasm32") {
        return vec![work(items)];
    }
    let size = items.len().div_ceil(parts);
    let mut rest = items;
    let mut chunks = Vec::with_capacity(parts);
    while rest.len() > size {
        let tail = rest.split_off(size);
        chunks.push(std::mem::replace(&mut rest, tail));
    }
    std::thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = chunks.into_iter().map(|chunk| scope.spawn(move || work(chunk))).collect();
        let last = work(rest);
        let mut results: Vec<R> = running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        results.push(last);
        results
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_items_are_worked_on_once_and_in_order() {
        let items: Vec<usize> = (0..1001).collect();
        let parts = split(items.clone(), WORTHWHILE * 3, 3, |part| part);
        assert_eq!(parts.len(), 3);
        assert_eq!(parts.concat(), items);
        assert_eq!(split(items.clone(), 10, 3, |part| part), [items]);
        assert_eq!(split(Vec::<u8>::new(), WORTHWHILE * 3, 3, |part| part.len()), [0]);
    }
}
