//! The layout that every page shares: head, navigation, banners, notices.

use super::clock_strip::ClockStrip;
use crate::web::banners::Banner;

/// A place in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nav {
    /// `/`
    Home,
    /// `/pay`
    NewPayment,
    /// `/payments` and one payment
    Payments,
    /// `/customers` and one customer
    Customers,
    /// `/clocks` and one test clock
    Clocks,
    /// `/scenario` and its revisions
    Scenario,
    /// `/load` and one load run
    Load,
    /// `/wallets`
    Wallets,
    /// `/insights`
    Insights,
    /// `/keys`
    Keys,
    /// `/requests`
    Requests,
    /// `/system`
    System,
    /// `/how`
    How,
    /// `/account`, in the menu of the signed-in account.
    Account,
    /// Pages outside the navigation: sign-in, errors.
    Nowhere,
}

/// One link of the navigation.
#[derive(Debug, Clone, Copy)]
pub struct NavLink {
    /// The entry that is marked as current on its pages.
    pub nav: Nav,
    /// The path it leads to.
    pub href: &'static str,
    /// The text of the link.
    pub label: &'static str,
}

/// The navigation in groups, each with its heading; the last group has none.
pub const NAVIGATION: &[(&str, &[NavLink])] = &[
    (
        "Pay",
        &[
            NavLink { nav: Nav::Home, href: "/", label: "Home" },
            NavLink { nav: Nav::NewPayment, href: "/pay", label: "New payment" },
            NavLink { nav: Nav::Payments, href: "/payments", label: "Payments" },
            NavLink { nav: Nav::Customers, href: "/customers", label: "Customers" },
            NavLink { nav: Nav::Wallets, href: "/wallets", label: "Wallets" },
            NavLink { nav: Nav::Insights, href: "/insights", label: "Insights" },
        ],
    ),
    (
        "Develop",
        &[
            NavLink { nav: Nav::Keys, href: "/keys", label: "Keys" },
            NavLink { nav: Nav::Requests, href: "/requests", label: "Requests" },
        ],
    ),
    (
        "Simulate",
        &[
            NavLink { nav: Nav::Scenario, href: "/scenario", label: "Scenario" },
            NavLink { nav: Nav::Load, href: "/load", label: "Load" },
            NavLink { nav: Nav::Clocks, href: "/clocks", label: "Test clocks" },
        ],
    ),
    (
        "",
        &[
            NavLink { nav: Nav::System, href: "/system", label: "System" },
            NavLink { nav: Nav::How, href: "/how", label: "How it works" },
        ],
    ),
];

/// The severity of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Good to know.
    Info,
    /// Something is unavailable or late; nothing is lost.
    Warning,
    /// The request was not carried out.
    Error,
}

impl Tone {
    /// The class, and the icon of the same name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A line above the page, such as the answer to a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its severity.
    pub tone: Tone,
    /// One or two sentences.
    pub text: String,
}

impl Notice {
    /// A notice.
    #[must_use]
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, text: text.into() }
    }
}

/// The frame around a page.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The title, without the product's name.
    pub title: String,
    /// The current entry of the navigation.
    pub nav: Nav,
    /// The name of the signed-in account, if any.
    pub user: Option<String>,
    /// The CSRF token that every form carries.
    pub csrf: String,
    /// Banners for parts that are unavailable and for paused workers.
    pub banners: Vec<Banner>,
    /// Whether the viewer may pause and resume the workers.
    pub operator: bool,
    /// Notices above the page.
    pub notices: Vec<Notice>,
    /// Without JavaScript, the page reloads after so many seconds; `None` if nothing is under way.
    pub refresh_s: Option<u32>,
    /// Whether to show the demo account's badge.
    pub demo_badge: bool,
    /// The server's time in milliseconds since the epoch, so that ages do not depend on the browser's clock.
    pub now_ms: Option<i64>,
    /// The test clock that the page's subject runs on.
    pub clock: Option<ClockStrip>,
}

impl Layout {
    /// The frame of a page for someone signed in.
    #[must_use]
    pub fn signed_in(title: &str, nav: Nav, user: &str, csrf: &str) -> Self {
        Self { user: Some(user.to_owned()), ..Self::signed_out(title, csrf) }.at(nav)
    }

    /// The frame of a page for anyone.
    #[must_use]
    pub fn signed_out(title: &str, csrf: &str) -> Self {
        Self {
            title: title.to_owned(),
            nav: Nav::Nowhere,
            user: None,
            csrf: csrf.to_owned(),
            banners: Vec::new(),
            operator: false,
            notices: Vec::new(),
            refresh_s: None,
            demo_badge: false,
            now_ms: None,
            clock: None,
        }
    }

    /// With the test clock that the page's subject runs on; ages follow it.
    #[must_use]
    pub fn by_clock(self, clock: Option<ClockStrip>) -> Self {
        Self { clock, ..self }
    }

    fn at(mut self, nav: Nav) -> Self {
        self.nav = nav;
        self
    }

    /// With a notice, if there is one.
    #[must_use]
    pub fn with_notice(mut self, notice: Option<Notice>) -> Self {
        self.notices.extend(notice);
        self
    }

    /// The navigation.
    #[must_use]
    pub fn navigation(&self) -> &'static [(&'static str, &'static [NavLink])] {
        NAVIGATION
    }

    /// The base path of this build's static files.
    #[must_use]
    pub fn assets(&self) -> &'static str {
        super::assets::base_path()
    }
}
