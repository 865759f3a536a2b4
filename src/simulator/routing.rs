//! Routing: which acquirer of a scenario takes a payment.
//!
//! The first acquirer whose conditions hold takes it, together with all others that have the same conditions: among them it is
//! drawn by weight, once for a payment. So whoever authorized a payment captures, voids and refunds it.

use super::acquirer::Acquirer;
use super::draw::{DrawKey, Draws, Slot};
use super::question::Question;
use super::scenario::{AcquirerSpec, Conditions, Facts};

/// The acquirers of a scenario, in its order.
#[derive(Debug, Clone)]
pub struct Routing {
    draws: Draws,
    routes: Vec<Route>,
}

/// Acquirers with the same conditions.
#[derive(Debug, Clone)]
struct Route {
    conditions: Conditions,
    /// Each with its weight; never empty.
    acquirers: Vec<(f64, Acquirer)>,
}

impl Routing {
    /// The routing of these acquirers, each built by `build`.
    #[must_use]
    pub fn new(specs: &[AcquirerSpec], draws: Draws, build: impl Fn(&AcquirerSpec) -> Acquirer) -> Self {
        let mut routes: Vec<Route> = Vec::new();
        for spec in specs {
            let weighted = (spec.weight, build(spec));
            match routes.iter_mut().find(|route| route.conditions == spec.route) {
                Some(route) => route.acquirers.push(weighted),
                None => {
                    routes.push(Route { conditions: spec.route.clone(), acquirers: vec![weighted] });
                }
            }
        }
        Self { draws, routes }
    }

    /// The acquirer that takes the question's payment; `None` if no conditions hold.
    #[must_use]
    pub fn acquirer<O>(&self, question: &Question<O>) -> Option<&Acquirer> {
        let facts = Facts::of_payment(question);
        let route = self.routes.iter().find(|route| route.conditions.hold(&facts))?;
        route.pick(|| {
            // Of no acquirer and no operation: the same for all questions about the payment.
            let key = DrawKey {
                acquirer: "",
                draw_key: question.draw_key,
                operation: "route",
                number: 0,
                attempt: 0,
            };
            self.draws.draw(&key).uniform(Slot::Route)
        })
    }
}

impl Route {
    /// The acquirer on which a uniform number falls; it is drawn only where there is a choice.
    fn pick(&self, uniform: impl FnOnce() -> f64) -> Option<&Acquirer> {
        if let [(_, only)] = self.acquirers.as_slice() {
            return Some(only);
        }
        let total: f64 = self.acquirers.iter().map(|(weight, _)| weight).sum();
        let mut left = uniform() * total;
        let drawn = self.acquirers.iter().find(|(weight, _)| {
            left -= weight;
            left < 0.0
        });
        drawn.or(self.acquirers.last()).map(|(_, acquirer)| acquirer)
    }
}
