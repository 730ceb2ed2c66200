SELECT aid, bid, abalance FROM pgbench_accounts WHERE aid <= 1000;
