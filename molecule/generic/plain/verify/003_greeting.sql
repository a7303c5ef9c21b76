SELECT greeting('O''Neil') = 'Dear; "O''Neil"', greeting('O''Neil');
