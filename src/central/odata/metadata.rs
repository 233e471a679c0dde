//! `$metadata`: the tables of a form and their types, in EDMX.

use quick_xml::escape::escape;
use surveys::form::{Compiled, Item, Role};
use surveys::question_type::{QuestionType, Stored};

use super::rows::{below, odata_name, tables};

const SYSTEM: &str = r#"<Schema Namespace="org.opendatakit.submission" xmlns="http://docs.oasis-open.org/odata/ns/edm">
<ComplexType Name="metadata">
<Property Name="submissionDate" Type="Edm.DateTimeOffset"/><Property Name="updatedAt" Type="Edm.DateTimeOffset"/><Property Name="deletedAt" Type="Edm.DateTimeOffset"/>
<Property Name="submitterId" Type="Edm.String"/><Property Name="submitterName" Type="Edm.String"/>
<Property Name="attachmentsPresent" Type="Edm.Int64"/><Property Name="attachmentsExpected" Type="Edm.Int64"/>
<Property Name="status" Type="org.opendatakit.submission.Status"/><Property Name="reviewState" Type="org.opendatakit.submission.ReviewState"/>
<Property Name="deviceId" Type="Edm.String"/><Property Name="edits" Type="Edm.Int64"/><Property Name="formVersion" Type="Edm.String"/>
</ComplexType>
<EnumType Name="Status"><Member Name="notDecrypted"/><Member Name="missingEncryptedFormData"/></EnumType>
<EnumType Name="ReviewState"><Member Name="hasIssues"/><Member Name="edited"/><Member Name="rejected"/><Member Name="approved"/></EnumType>
</Schema>
"#;

/// The document for a form.
pub fn edmx(form_id: &str, form: &Compiled) -> String {
    let space = format!("org.opendatakit.user.{}", odata_name(form_id));
    let mut types = String::new();
    let mut sets = String::new();
    for table in tables(form) {
        let mut properties = String::from(
            "<Key><PropertyRef Name=\"__id\"/></Key><Property Name=\"__id\" Type=\"Edm.String\"/>",
        );
        if table.repeat.is_none() {
            properties.push_str("<Property Name=\"__system\" Type=\"org.opendatakit.submission.metadata\"/>");
            properties.push_str(&format!("<Property Name=\"meta\" Type=\"{space}.meta\"/>"));
        } else {
            // The column that points to the row around it.
            let around = table.name.rsplit_once('.').map_or("Submissions", |(around, _)| around);
            let around = parent_table(form, table.repeat).unwrap_or(around.to_owned());
            properties.push_str(&format!(
                "<Property Name=\"__{}-id\" Type=\"Edm.String\"/>",
                around.replace('.', "-")
            ));
        }
        let path = table.name.trim_start_matches("Submissions").trim_start_matches('.');
        properties.push_str(&fields(form, table.repeat, path, &space, &mut types));
        types.push_str(&format!("<EntityType Name=\"{}\">{properties}</EntityType>\n", table.name));
        sets.push_str(&format!(
            "<EntitySet Name=\"{}\" EntityType=\"{space}.{}\"/>\n",
            table.name, table.name
        ));
    }
    types.push_str("<ComplexType Name=\"meta\"><Property Name=\"instanceID\" Type=\"Edm.String\"/><Property Name=\"instanceName\" Type=\"Edm.String\"/></ComplexType>\n");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<edmx:Edmx Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\">\n<edmx:DataServices>\n{SYSTEM}<Schema Namespace=\"{}\" xmlns=\"http://docs.oasis-open.org/odata/ns/edm\">\n{types}<EntityContainer Name=\"{}\">\n{sets}</EntityContainer>\n</Schema>\n</edmx:DataServices>\n</edmx:Edmx>\n",
        escape(&space),
        escape(odata_name(form_id)),
    )
}

/// The table of the repeat around a repeat.
fn parent_table(form: &Compiled, repeat: Option<usize>) -> Option<String> {
    let mut at = form.items[repeat?].parent;
    while let Some(item) = at {
        if form.items[item].is_repeat() {
            return tables(form).into_iter().find(|table| table.repeat == Some(item)).map(|table| table.name);
        }
        at = form.items[item].parent;
    }
    Some("Submissions".to_owned())
}

fn fields(form: &Compiled, parent: Option<usize>, path: &str, space: &str, types: &mut String) -> String {
    let mut properties = String::new();
    for index in below(form, parent) {
        let item = &form.items[index];
        let name = odata_name(&item.name);
        let inside = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match &item.role {
            Role::Question { stored: Stored::Nothing, .. } => {}
            Role::Question { .. } => {
                properties.push_str(&format!("<Property Name=\"{name}\" Type=\"{}\"/>", kind(item)));
            }
            Role::Group => {
                let group = fields(form, Some(index), &inside, space, types);
                types.push_str(&format!("<ComplexType Name=\"{inside}\">{group}</ComplexType>\n"));
                properties.push_str(&format!("<Property Name=\"{name}\" Type=\"{space}.{inside}\"/>"));
            }
            Role::Repeat(_) => properties.push_str(&format!(
                "<NavigationProperty Name=\"{name}\" Type=\"Collection({space}.Submissions.{inside})\"/>"
            )),
        }
    }
    properties
}

fn kind(item: &Item) -> &'static str {
    let Role::Question { kind, stored, .. } = &item.role else { return "Edm.String" };
    match (stored, kind) {
        (Stored::Integer, _) => "Edm.Int64",
        (Stored::Decimal, _) => "Edm.Decimal",
        (Stored::Date, _) => "Edm.Date",
        (Stored::DateTime, _) => "Edm.DateTimeOffset",
        (Stored::Place, QuestionType::Geotrace) => "Edm.GeographyLineString",
        (Stored::Place, QuestionType::Geoshape) => "Edm.GeographyPolygon",
        (Stored::Place, _) => "Edm.GeographyPoint",
        _ => "Edm.String",
    }
}
