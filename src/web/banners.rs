//! The banners at the top of every page while a part is unavailable or the workers are paused. They are rendered with the
//! page and updated over the WebSocket. Pure, so that both say the same.

use serde::Serialize;

use crate::readers::system::SystemState;
use crate::store::StoreTrouble;

/// A banner, shown as long as its cause lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Banner {
    /// Names the cause: `workers`, `store`, `tasks`, `broker`, `search`.
    pub key: &'static str,
    /// One or two sentences.
    pub text: &'static str,
    /// The path that its button posts to, and the button's label; `None` without a button.
    pub action: Option<(&'static str, &'static str)>,
}

/// The banners for this state; empty if all is well.
#[must_use]
pub fn banners(state: &SystemState) -> Vec<Banner> {
    let away = |key, text| Banner { key, text, action: None };
    let paused = Banner {
        key: "workers",
        text: "Workers are paused. Payments are accepted and wait in the queue.",
        action: Some(("/system/resume", "Resume")),
    };
    let lines = [
        (state.paused_since.is_some(), paused),
        (!state.store, away("store", store_words(state.store_trouble))),
        (
            !state.tasks,
            away(
                "tasks",
                "A background task of this server failed and does not run. The System page says what waits.",
            ),
        ),
        (
            !state.broker,
            away(
                "broker",
                match state.broker_blocked {
                    true => {
                        "The work queue takes nothing at the moment. Payments are accepted and will be processed once it does."
                    }
                    false => {
                        "The work queue is away. Payments are accepted and will be processed once it is back."
                    }
                },
            ),
        ),
        (
            !state.search,
            away(
                "search",
                match (state.search_filling, state.search_behind) {
                    (true, _) => {
                        "Search is being filled from the store and answers once that is done. Payments go on."
                    }
                    (false, true) => {
                        "Search takes nothing in at the moment and does not know the newest payments. Payments go on."
                    }
                    (false, false) => "Search is away. Payments go on; it will catch up once it is back.",
                },
            ),
        ),
    ];
    lines.into_iter().filter(|(stands, _)| *stands).map(|(_, banner)| banner).collect()
}

const fn store_words(trouble: StoreTrouble) -> &'static str {
    match trouble {
        StoreTrouble::Away => "The store does not answer. No payment can be taken until it is back.",
        StoreTrouble::Full => "The store's disk is full. No payment can be taken until there is room on it.",
        StoreTrouble::Refusing => {
            "The store is read-only, or rights or tables are missing. No payment can be taken; the server's log says which."
        }
        StoreTrouble::Damaged => {
            "The store's file is damaged or gone. Payments may fail until it is repaired; the server's log says how."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    fn keys(state: &SystemState) -> Vec<&'static str> {
        banners(state).iter().map(|banner| banner.key).collect()
    }

    #[test]
    fn each_cause_has_its_banner_and_only_the_pause_has_a_button() {
        let well = SystemState::default();
        assert!(banners(&well).is_empty());
        assert_eq!(keys(&SystemState { search: false, ..well }), ["search"]);
        let since = Some(Timestamp::from_micros(1));
        let bad = SystemState {
            paused_since: since,
            store: false,
            broker: false,
            search: false,
            tasks: false,
            ..well
        };
        assert_eq!(keys(&bad), ["workers", "store", "tasks", "broker", "search"]);
        let buttons = banners(&bad).iter().filter(|banner| banner.action.is_some()).count();
        assert_eq!(buttons, 1);
    }
}
