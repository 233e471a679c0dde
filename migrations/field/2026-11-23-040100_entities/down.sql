drop table entities;
drop table dataset_properties;
drop table datasets;
