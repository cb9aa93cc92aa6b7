"""Charts for people to look at; later also pages and mails. Reads tables and writes nothing."""
