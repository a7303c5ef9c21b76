DROP FUNCTION greeting(text); DROP FUNCTION order_count();
