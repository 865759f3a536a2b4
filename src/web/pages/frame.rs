//! The frame around the pages of someone signed in.

use super::layout::{Layout, Nav};
use crate::web::banners::banners;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// The frame of a page, with banners for parts that are unavailable.
#[must_use]
pub fn frame(state: &WebState, who: &SignedIn, title: &str, nav: Nav) -> Layout {
    let mut layout = Layout::signed_in(title, nav, &who.name, &who.csrf);
    layout.now_ms = Some(state.wall.now().millis());
    layout.banners = banners(&state.hub.system().borrow());
    layout.operator = who.operator;
    layout.demo_badge = who.demo_badge;
    layout
}
