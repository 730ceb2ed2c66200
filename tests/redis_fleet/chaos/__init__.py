"""A fleet behind a load balancer, with clients that come back, and nodes and an engine that are killed at random.

By hand::

    python -m tests.redis_fleet.chaos --minutes 10 --clients 500 --policy close --seed 1

Everything but the nodes, HAProxy and the engine runs in this process: the server, the clients, the lines between the
nodes and the engine, and the judge, who sees what the server and the clients see.
"""
