drop table form_confirmations;
