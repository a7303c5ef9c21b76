-- What a user's rename of odd/six.mid does in the database.
UPDATE files SET filename = 'my six.mid', filepath = '/library/odd/my six.mid' WHERE filepath = '/library/odd/six.mid';
