//! What the registry decides with, as shipped, for tests that only need versions to exist.

use std::path::Path;

use steward::config::notify::NotifySettings;
use steward::config::registry::RegistrySettings;
use steward::config::smtp::SmtpSettings;
use steward::notify::Channels;
use steward::registry::Setup;

/// The shipped settings.
pub struct Desk {
    settings: RegistrySettings,
    channels: Channels,
}

impl Default for Desk {
    fn default() -> Self {
        #[derive(serde::Deserialize)]
        struct Shipped {
            notify: NotifySettings,
            smtp: SmtpSettings,
            registry: RegistrySettings,
        }
        let shipped: Shipped = toml::from_str(include_str!("../../../config/default.toml")).unwrap();
        let channels = Channels::new(&shipped.notify, &shipped.smtp, Path::new("/nowhere")).unwrap();
        Self { settings: shipped.registry, channels }
    }
}

impl Desk {
    pub fn setup(&self) -> Setup<'_> {
        Setup { settings: &self.settings, channels: &self.channels }
    }
}
