//! Checks what no type or section can see by itself: settings that contradict each other.

use super::Settings;
use super::origins::Origins;
use crate::broker::settings::BrokerKind;

use crate::setting::{InvalidSetting, at_least};
use crate::store::StoreKind;

/// Checks settings that are well-formed one by one.
///
/// # Errors
/// The first setting to change.
pub(super) fn check(settings: &Settings, origins: &Origins) -> Result<(), InvalidSetting> {
    if settings.data_dir.as_os_str().is_empty() {
        return Err(InvalidSetting::new("data_dir", "must name a directory"));
    }
    sections(settings)?;
    demo(settings, origins)?;
    roles(settings)?;
    instances(settings)
}

/// Each section by itself.
fn sections(settings: &Settings) -> Result<(), InvalidSetting> {
    let within = |section: &'static str| move |invalid: InvalidSetting| invalid.in_section(section);
    settings.server.validate().map_err(within("server"))?;
    settings.roles.validate().map_err(within("roles"))?;
    settings.accounts.validate().map_err(within("accounts"))?;
    settings.demo.validate().map_err(within("demo"))?;
    settings.requests.validate().map_err(within("requests"))?;
    settings.store.validate().map_err(within("store"))?;
    settings.broker.validate().map_err(within("broker"))?;
    settings.search.validate().map_err(within("search"))?;
    settings.engine.validate().map_err(within("engine"))?;
    settings.simulator.validate().map_err(within("simulator"))?;
    settings.load.validate().map_err(within("load"))?;
    settings.telemetry.validate().map_err(within("telemetry"))
}

/// Unless the demo was asked for explicitly, it is simply off where it cannot be on.
fn demo(settings: &Settings, origins: &Origins) -> Result<(), InvalidSetting> {
    let asked_for = settings.demo.enabled && origins.set_by("demo.enabled").is_some();
    match settings.demo_obstacle() {
        Some(obstacle) if asked_for => {
            Err(InvalidSetting::new("demo.enabled", format!("the demo account {obstacle}")))
        }
        Some(_) | None => Ok(()),
    }
}

/// A role that is off must be filled by another process, which cannot reach an embedded part.
fn roles(settings: &Settings) -> Result<(), InvalidSetting> {
    let Settings { roles, store, broker, .. } = settings;
    let needed = [("roles.web", roles.web), ("roles.worker", roles.worker)];
    let Some((key, _)) = needed.into_iter().find(|(_, on)| !on) else { return Ok(()) };
    let embedded = match (store.kind, broker.kind) {
        (StoreKind::Embedded, _) => "store.kind",
        (StoreKind::Mysql, BrokerKind::Embedded) => "broker.kind",
        (StoreKind::Mysql, BrokerKind::RabbitMq) => return Ok(()),
    };
    let problem = format!("cannot be off while {embedded} is embedded: no other process can take it over");
    Err(InvalidSetting::new(key, problem))
}

fn instances(settings: &Settings) -> Result<(), InvalidSetting> {
    let Settings { instances, store, broker, search, .. } = settings;
    at_least("instances", *instances, 1)?;
    let parts = [
        ("store.kind", store.kind.is_embedded(), "mysql"),
        ("broker.kind", broker.kind.is_embedded(), "rabbitmq"),
        ("search.kind", search.kind.is_embedded(), "elasticsearch"),
    ];
    match parts.into_iter().find(|(_, embedded, _)| *embedded && *instances > 1) {
        Some((key, _, instead)) => {
            let problem =
                format!("{instances} instances cannot share an embedded part; set {key} to {instead}");
            Err(InvalidSetting::new("instances", problem))
        }
        None => Ok(()),
    }
}
