"""What people read as a whole: charts; it reads tables and writes nothing."""
