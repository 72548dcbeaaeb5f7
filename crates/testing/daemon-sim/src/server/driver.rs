//! Advances the world with the clock and sends messages at the dialect's intervals.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use super::{Dialect, coded, documented, shared::Shared};
use crate::world::TICK_MS;

/// Ticks per second.
const TICKS_A_SECOND: u64 = 4;

pub(super) async fn run(shared: Arc<Shared>) {
    let mut ticks = interval(Duration::from_millis(TICK_MS.unsigned_abs()));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut count = 0_u64;
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        count += 1;
        let sockets = shared.sockets();
        shared.change(|world| world.set_clients(sockets as u64));
        // Without sockets no message is built.
        if sockets == 0 || !count.is_multiple_of(TICKS_A_SECOND) {
            continue;
        }
        match shared.options.dialect {
            Dialect::Stock | Dialect::Custom => shared.send(coded::metrics_message(&shared)),
            Dialect::Documented => {
                for message in documented::progress_messages(&shared) {
                    shared.send(message);
                }
                if count.is_multiple_of(5 * TICKS_A_SECOND) {
                    shared.send(documented::system_message(&shared));
                }
            }
        }
    }
}
