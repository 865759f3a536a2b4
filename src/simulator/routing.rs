//! Routing: which acquirer of a scenario takes a payment.
//!
//! The first acquirer whose conditions hold takes it, together with all others that have the same conditions: among them it is
//! drawn by weight, once for a payment. So whoever authorized a payment captures, voids and refunds it, as long as nobody has to stand
//! in: then come the others with the same conditions, the one with the most weight first, and after them the acquirers of the next
//! conditions that hold.

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
    /// The routing of these acquirers, each built by `build`, and in the slot of its place in the list.
    #[must_use]
    pub fn new(specs: &[AcquirerSpec], draws: Draws, build: impl Fn(&AcquirerSpec) -> Acquirer) -> Self {
        let mut routes: Vec<Route> = Vec::new();
        for (slot, spec) in specs.iter().enumerate() {
            let weighted = (spec.weight, build(spec).in_slot(slot));
            match routes.iter_mut().find(|route| route.conditions == spec.route) {
                Some(route) => route.acquirers.push(weighted),
                None => {
                    routes.push(Route { conditions: spec.route.clone(), acquirers: vec![weighted] });
                }
            }
        }
        Self { draws, routes }
    }

    /// The acquirers that may take the question's payment, the one that does first; none if no conditions hold.
    pub fn acquirers<O>(&self, question: &Question<'_, O>) -> impl Iterator<Item = &Acquirer> {
        let facts = Facts::of_payment(question);
        let draw_key = question.draw_key;
        let holding = self.routes.iter().filter(move |route| route.conditions.hold(&facts));
        holding.zip(0..).flat_map(move |(route, number)| {
            let first = route.pick(|| {
                // Of no acquirer and no operation: the same for all questions about the payment.
                let key = DrawKey { acquirer: "", draw_key, operation: "route", number, attempt: 0 };
                self.draws.draw(&key).uniform(Slot::Route)
            });
            // The others are needed only if one has to stand in.
            let others = first.into_iter().flat_map(|first| route.others(first));
            first.into_iter().chain(others)
        })
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Acquirer> {
        self.routes.iter().flat_map(|route| route.acquirers.iter().map(|(_, acquirer)| acquirer))
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

    /// All but this one, the one with the most weight first.
    fn others(&self, first: &Acquirer) -> Vec<&Acquirer> {
        let mut others: Vec<&(f64, Acquirer)> =
            self.acquirers.iter().filter(|(_, acquirer)| acquirer.slot() != first.slot()).collect();
        others.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        others.into_iter().map(|(_, acquirer)| acquirer).collect()
    }
}
