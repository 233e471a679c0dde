//! The one table of question types: their names in a workbook, their control and bind in an XForm,
//! and what an answer is stored as. Reader, writers, codebook and validation all read it.

use serde::{Deserialize, Serialize};

/// A question type of XLSForm. Selects say where their choices come from in
/// [`crate::questionnaire::ChoiceSource`], not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuestionType {
    Text,
    Integer,
    Decimal,
    Date,
    Time,
    DateTime,
    Note,
    SelectOne,
    SelectMultiple,
    Rank,
    /// A select whose choices lie in `itemsets.csv`; the body is an `input` with a query.
    SelectOneExternal,
    Range,
    Geopoint,
    Geotrace,
    Geoshape,
    Barcode,
    Image,
    Audio,
    Video,
    File,
    Osm,
    /// A box to tick, stored as `OK`.
    Acknowledge,
    /// As [`QuestionType::Acknowledge`], without a bind type.
    Trigger,
    Calculate,
    Hidden,
    StartGeopoint,
    BackgroundGeopoint,
    BackgroundAudio,
    Percentage,
    DigitsOnly,
    DaysInLastMonth,
    DaysInLastSixMonths,
    DaysInLastYear,
    Start,
    End,
    Today,
    DeviceId,
    Username,
    Email,
    PhoneNumber,
    SimSerial,
    SubscriberId,
    UriDeviceId,
    UriUsername,
    UriEmail,
    UriPhoneNumber,
    UriSimSerial,
    UriSubscriberId,
    /// Lives in `meta`.
    Audit,
    /// `meta/instanceID`; written by the form, never by a workbook row.
    InstanceId,
    /// `meta/instanceName`, from the setting `instance_name`.
    InstanceName,
}

/// What the XForm body shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    Input,
    Select1,
    Select,
    Rank,
    Range,
    /// With the media type of the file (`image/*`).
    Upload(&'static str),
    Trigger,
    /// Nothing in the body; an action in the model (`odk:setgeopoint`, `odk:recordaudio`).
    Action,
    /// Nothing in the body.
    None,
}

/// What one answer is in the submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stored {
    Text,
    Integer,
    Decimal,
    Date,
    Time,
    DateTime,
    /// One code.
    Choice,
    /// Codes parted by spaces, without order.
    Choices,
    /// Codes parted by spaces, in order.
    Ranking,
    /// A point, trace or shape.
    Place,
    /// The name of an attached file.
    File,
    /// `OK` or blank.
    Tick,
    /// Never carries an answer (a note).
    Nothing,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The name that the XLSForm writer uses.
    pub name: &'static str,
    /// Other spellings that are read as the same type.
    pub aliases: &'static [&'static str],
    pub control: Control,
    /// `type` of the bind; `None` where the bind has no type.
    pub bind: Option<&'static str>,
    /// `jr:preload` and `jr:preloadParams`.
    pub preload: Option<(&'static str, &'static str)>,
    /// Constraint that comes with the type.
    pub constraint: Option<&'static str>,
    /// Hint that comes with the type.
    pub hint: Option<&'static str>,
    pub stored: Stored,
}

const fn row(
    name: &'static str,
    aliases: &'static [&'static str],
    control: Control,
    bind: &'static str,
    stored: Stored,
) -> Row {
    Row { name, aliases, control, bind: Some(bind), preload: None, constraint: None, hint: None, stored }
}

const fn preload(
    name: &'static str,
    aliases: &'static [&'static str],
    bind: &'static str,
    kind: &'static str,
    parameter: &'static str,
    stored: Stored,
) -> Row {
    let row = row(name, aliases, Control::None, bind, stored);
    Row { preload: Some((kind, parameter)), ..row }
}

const fn checked(
    name: &'static str,
    bind: &'static str,
    constraint: &'static str,
    hint: Option<&'static str>,
    stored: Stored,
) -> Row {
    let row = row(name, &[], Control::Input, bind, stored);
    Row { constraint: Some(constraint), hint, ..row }
}

impl QuestionType {
    /// Every type, in the order of the table.
    pub const ALL: [Self; 51] = {
        use QuestionType::*;
        [
            Text,
            Integer,
            Decimal,
            Date,
            Time,
            DateTime,
            Note,
            SelectOne,
            SelectMultiple,
            Rank,
            SelectOneExternal,
            Range,
            Geopoint,
            Geotrace,
            Geoshape,
            Barcode,
            Image,
            Audio,
            Video,
            File,
            Osm,
            Acknowledge,
            Trigger,
            Calculate,
            Hidden,
            StartGeopoint,
            BackgroundGeopoint,
            BackgroundAudio,
            Percentage,
            DigitsOnly,
            DaysInLastMonth,
            DaysInLastSixMonths,
            DaysInLastYear,
            Start,
            End,
            Today,
            DeviceId,
            Username,
            Email,
            PhoneNumber,
            SimSerial,
            SubscriberId,
            UriDeviceId,
            UriUsername,
            UriEmail,
            UriPhoneNumber,
            UriSimSerial,
            UriSubscriberId,
            Audit,
            InstanceId,
            InstanceName,
        ]
    };

    /// The type's line of the table.
    #[rustfmt::skip]
    pub const fn row(self) -> Row {
        use QuestionType::*;
        match self {
            //                      XLSForm, aliases                          XForm                       bind         stored as
            Text        => row("text", &["string", "q string", "add text prompt"],
                                                                              Control::Input,             "string",    Stored::Text),
            Integer     => row("integer", &["int", "q int", "add integer prompt"],
                                                                              Control::Input,             "int",       Stored::Integer),
            Decimal     => row("decimal", &["q decimal", "add decimal prompt"],
                                                                              Control::Input,             "decimal",   Stored::Decimal),
            Date        => row("date", &["q date", "add date prompt"],        Control::Input,             "date",      Stored::Date),
            Time        => row("time", &[],                                   Control::Input,             "time",      Stored::Time),
            DateTime    => row("dateTime", &["datetime", "date time", "q dateTime", "q date time",
                                             "add dateTime prompt", "add date time prompt"],
                                                                              Control::Input,             "dateTime",  Stored::DateTime),
            Note        => row("note", &["q note", "add note prompt"],        Control::Input,             "string",    Stored::Nothing),
            SelectOne   => row("select_one", &["select one", "select one from", "select1", "select one using",
                                               "add select one prompt using", "q select1"],
                                                                              Control::Select1,           "string",    Stored::Choice),
            SelectMultiple => row("select_multiple", &["select all that apply", "select all that apply from",
                                               "select multiple", "select multiple from", "select multiple using",
                                               "add select multiple prompt using", "q select"],
                                                                              Control::Select,            "string",    Stored::Choices),
            Rank        => row("rank", &[],                                   Control::Rank,              "odk:rank",  Stored::Ranking),
            SelectOneExternal => row("select_one_external", &["select one external"],
                                                                              Control::Input,             "string",    Stored::Choice),
            Range       => row("range", &[],                                  Control::Range,             "int",       Stored::Decimal),
            Geopoint    => row("geopoint", &["gps", "location", "q geopoint", "q location", "add location prompt"],
                                                                              Control::Input,             "geopoint",  Stored::Place),
            Geotrace    => row("geotrace", &["q geotrace"],                   Control::Input,             "geotrace",  Stored::Place),
            Geoshape    => row("geoshape", &["q geoshape"],                   Control::Input,             "geoshape",  Stored::Place),
            Barcode     => row("barcode", &["q barcode", "add barcode prompt"],
                                                                              Control::Input,             "barcode",   Stored::Text),
            Image       => row("image", &["photo", "q image", "q picture", "add image prompt", "add photo prompt"],
                                                                              Control::Upload("image/*"), "binary",    Stored::File),
            Audio       => row("audio", &["q audio", "add audio prompt"],     Control::Upload("audio/*"), "binary",    Stored::File),
            Video       => row("video", &["q video", "add video prompt"],     Control::Upload("video/*"), "binary",    Stored::File),
            File        => row("file", &["add file prompt"],                  Control::Upload("application/*"), "binary", Stored::File),
            Osm         => row("osm", &[],                                    Control::Upload("osm/*"),   "binary",    Stored::File),
            Acknowledge => row("acknowledge", &["q acknowledge", "add acknowledge prompt"],
                                                                              Control::Trigger,           "string",    Stored::Tick),
            Trigger     => Row { bind: None, ..row("trigger", &[],            Control::Trigger,           "",          Stored::Tick) },
            Calculate   => row("calculate", &["q calculate", "add calculate prompt"],
                                                                              Control::None,              "string",    Stored::Text),
            Hidden      => row("hidden", &[],                                 Control::None,              "string",    Stored::Text),
            StartGeopoint      => row("start-geopoint", &[],                  Control::Action,            "geopoint",  Stored::Place),
            BackgroundGeopoint => row("background-geopoint", &[],             Control::Action,            "geopoint",  Stored::Place),
            BackgroundAudio    => row("background-audio", &[],                Control::Action,            "binary",    Stored::File),

            // Types that bring a constraint, and mostly a hint.
            Percentage          => checked("percentage", "int", "0 <= . and . <= 100", None, Stored::Integer),
            DigitsOnly          => checked("phone number", "string", r"regex(., '^\d*$')",
                                           Some("Enter numbers only."), Stored::Text),
            DaysInLastMonth     => checked("number of days in last month", "int", "0 <= . and . <= 31",
                                           Some("Enter a number 0-31."), Stored::Integer),
            DaysInLastSixMonths => checked("number of days in last six months", "int", "0 <= . and . <= 183",
                                           Some("Enter a number 0-183."), Stored::Integer),
            DaysInLastYear      => checked("number of days in last year", "int", "0 <= . and . <= 365",
                                           Some("Enter a number 0-365."), Stored::Integer),

            // Filled by the device when the form is opened or saved.
            Start        => preload("start", &["start time", "get start time"], "dateTime", "timestamp", "start", Stored::DateTime),
            End          => preload("end", &["end time", "get end time"],       "dateTime", "timestamp", "end",   Stored::DateTime),
            Today        => preload("today", &["get today"],                    "date",     "date",      "today", Stored::Date),
            DeviceId     => preload("deviceid", &["imei", "device id", "get device id"],
                                                                                "string", "property", "deviceid",     Stored::Text),
            Username     => preload("username", &[],                            "string", "property", "username",     Stored::Text),
            Email        => preload("email", &[],                               "string", "property", "email",        Stored::Text),
            PhoneNumber  => preload("phonenumber", &["get phone number"],       "string", "property", "phonenumber",  Stored::Text),
            SimSerial    => preload("simserial", &["sim id", "get sim id"],     "string", "property", "simserial",    Stored::Text),
            SubscriberId => preload("subscriberid", &["subscriber id", "get subscriber id"],
                                                                                "string", "property", "subscriberid", Stored::Text),
            UriDeviceId     => preload("uri:deviceid", &[],     "string", "property", "uri:deviceid",     Stored::Text),
            UriUsername     => preload("uri:username", &[],     "string", "property", "uri:username",     Stored::Text),
            UriEmail        => preload("uri:email", &[],        "string", "property", "uri:email",        Stored::Text),
            UriPhoneNumber  => preload("uri:phonenumber", &[],  "string", "property", "uri:phonenumber",  Stored::Text),
            UriSimSerial    => preload("uri:simserial", &[],    "string", "property", "uri:simserial",    Stored::Text),
            UriSubscriberId => preload("uri:subscriberid", &[], "string", "property", "uri:subscriberid", Stored::Text),

            Audit        => row("audit", &[],                                 Control::None,              "binary",    Stored::File),
            InstanceId   => preload("instanceID", &[],                        "string", "uid", "",           Stored::Text),
            InstanceName => row("instanceName", &[],                          Control::None,              "string",    Stored::Text),
        }
    }

    /// The type that a workbook calls `name`; names are case-sensitive, as in pyxform.
    /// `meta` nodes are not found: no row of a workbook makes them.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| {
            let row = kind.row();
            !matches!(kind, Self::InstanceId | Self::InstanceName)
                && (row.name == name || row.aliases.contains(&name))
        })
    }

    /// Whether choices belong to the question.
    pub const fn is_select(self) -> bool {
        matches!(self, Self::SelectOne | Self::SelectMultiple | Self::Rank | Self::SelectOneExternal)
    }

    /// Whether the type itself belongs to the field half of a submission: times, points, traces,
    /// device and account facts, and what lies in `meta` (protection.md rule 2). Names of files
    /// belong there too.
    pub const fn is_metadata(self) -> bool {
        use QuestionType::*;
        match self {
            Start | End | Today | DeviceId | Username | Email | PhoneNumber | SimSerial | SubscriberId
            | UriDeviceId | UriUsername | UriEmail | UriPhoneNumber | UriSimSerial | UriSubscriberId
            | Audit | InstanceId | InstanceName | Geopoint | Geotrace | Geoshape | StartGeopoint
            | BackgroundGeopoint | BackgroundAudio | Image | Audio | Video | File | Osm => true,
            Text | Integer | Decimal | Date | Time | DateTime | Note | SelectOne | SelectMultiple | Rank
            | SelectOneExternal | Range | Barcode | Acknowledge | Trigger | Calculate | Hidden
            | Percentage | DigitsOnly | DaysInLastMonth | DaysInLastSixMonths | DaysInLastYear => false,
        }
    }

    /// Whether a person sees and answers (or reads) the question.
    pub const fn is_visible(self) -> bool {
        !matches!(self.row().control, Control::None | Control::Action)
    }
}
