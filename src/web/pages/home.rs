//! `/`: the form, the journey of the last payment, the live feed.

use askama::Template;

use super::form::PayForm;
use super::journey::Journey;
use super::layout::Layout;
use super::row::PaymentRow;

/// The page.
#[derive(Template)]
#[template(path = "home.html")]
pub struct HomePage {
    /// The frame.
    pub layout: Layout,
    /// The form.
    pub form: PayForm,
    /// The journey of the newest payment.
    pub journey: Journey,
    /// Balances, one line each.
    pub balances: Vec<String>,
    /// The newest payments.
    pub rows: Vec<PaymentRow>,
}
