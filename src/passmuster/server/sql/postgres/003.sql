-- nobody asks by these
DROP INDEX record_campaign;
DROP INDEX record_enrolment;
-- a line of signatures does not get smaller by packing: rows stay whole up to the size of a page,
-- else each is packed in vain, put into a second table, and fetched from there when it is read
ALTER TABLE record SET (toast_tuple_target = 8160);
