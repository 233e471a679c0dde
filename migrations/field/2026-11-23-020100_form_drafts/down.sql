drop table form_draft_files;
drop table form_drafts;
