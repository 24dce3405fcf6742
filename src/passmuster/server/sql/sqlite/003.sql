-- nobody asks by these
DROP INDEX record_campaign;
DROP INDEX record_enrolment;
