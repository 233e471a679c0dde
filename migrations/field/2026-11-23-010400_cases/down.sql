drop table visits;
drop table listings;
drop table cases;
