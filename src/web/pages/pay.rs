//! `/pay`: the form for a new payment, with four verbs as tabs and test cards in groups, beside the payment's journey.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::error_page::{answer_to, render};
use super::forms::{self, Fields};
use super::frame;
use super::journey::Journey;
use super::layout::{Layout, Nav};
use super::pay_form::{PayForm, PayFormInput};
use super::responses::{self, PageResult};
use super::submit;
use crate::web::body::Body;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// The page.
#[derive(Template)]
#[template(path = "pay.html")]
pub struct PayPage {
    /// The frame.
    pub layout: Layout,
    /// The form.
    pub form: PayForm,
    /// The journey of the payment to come.
    pub journey: Journey,
}

fn input_of(fields: &Fields) -> PayFormInput {
    // The amount has no default here: nobody should send 12.50 by accident.
    let typed = submit::input_of(fields);
    PayFormInput { amount: fields.get("amount").to_owned(), ..typed }
}

/// `GET /pay`; `?kind=topup&currency=jpy` fills the form.
pub async fn show(state: web::Data<WebState>, request: HttpRequest, who: SignedIn) -> PageResult {
    let input = input_of(&Fields::of_query(&request));
    let page = PayPage {
        layout: frame::frame(&state, &who, "New payment", Nav::NewPayment),
        form: PayForm::new(input, forms::idempotency_key()?, None).whole_page(),
        journey: Journey::empty(),
    };
    Ok(responses::ok(&page))
}

/// `POST /pay`: the form without JavaScript.
pub async fn pay(state: web::Data<WebState>, request: HttpRequest, who: SignedIn, body: Body) -> PageResult {
    let fields = forms::signed_form(&state, &request, &who, body)?;
    let error = match submit::submit(&state, who.account, &fields).await {
        Ok(done) => {
            return Ok(responses::see_other(&format!("/payments/{}", done.payment.submission().public_id())));
        }
        Err(error) => error,
    };
    let fault = Some(forms::field_error(&error));
    let mut page = PayPage {
        layout: frame::frame(&state, &who, "New payment", Nav::NewPayment),
        form: PayForm::new(input_of(&fields), forms::idempotency_key()?, fault).whole_page(),
        journey: Journey::empty(),
    };
    forms::keep_key(&mut page.form.idempotency_key, &error, &fields);
    Ok(render(answer_to(&error), &page))
}
