-- The demonstration shop. `day(n)` is the date n days from the day of the seeding.

CREATE TABLE customers (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, locked INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE orders (
    number TEXT PRIMARY KEY,
    customer_id TEXT NOT NULL REFERENCES customers (id),
    item TEXT NOT NULL,
    total REAL NOT NULL,
    delivery_kind TEXT NOT NULL CHECK (delivery_kind IN ('standard', 'express')),
    delivery_fee REAL NOT NULL,
    status TEXT NOT NULL CHECK (status IN
        ('placed', 'in_transit', 'lost', 'delivered', 'returned', 'cancelled')),
    placed_on TEXT NOT NULL,
    promised_on TEXT NOT NULL,
    expected_on TEXT,
    delivered_on TEXT,
    returned_on TEXT,
    carrier TEXT NOT NULL,
    tracking TEXT NOT NULL,
    address TEXT NOT NULL
);

CREATE TABLE charges (
    id INTEGER PRIMARY KEY, order_number TEXT NOT NULL REFERENCES orders (number),
    amount REAL NOT NULL, charged_on TEXT NOT NULL, refunded INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE refunds (
    reference TEXT PRIMARY KEY, order_number TEXT NOT NULL REFERENCES orders (number),
    amount REAL NOT NULL, why TEXT NOT NULL, made_on TEXT NOT NULL, arrives_on TEXT NOT NULL
);

CREATE TABLE shipments (
    reference TEXT PRIMARY KEY, order_number TEXT NOT NULL REFERENCES orders (number),
    kind TEXT NOT NULL, sent_on TEXT NOT NULL, arrives_on TEXT NOT NULL
);

CREATE TABLE tickets (
    reference TEXT PRIMARY KEY, customer_id TEXT, order_number TEXT, kind TEXT NOT NULL,
    note TEXT NOT NULL DEFAULT '', opened_on TEXT NOT NULL, due_on TEXT NOT NULL
);

CREATE TABLE emails (
    id INTEGER PRIMARY KEY, address TEXT NOT NULL, kind TEXT NOT NULL, order_number TEXT,
    sent_on TEXT NOT NULL
);

INSERT INTO customers (id, name, email) VALUES
    ('C1001', 'Marcus Reed', 'marcus.reed@example.com'),
    ('C1002', 'Ellen Fischer', 'ellen.fischer@example.com'),
    ('C1003', 'Priya Nair', 'priya.nair@example.com'),
    ('C1004', 'Grace Kim', 'grace.kim@example.com'),
    ('C1005', 'Daniel Ortiz', 'daniel.ortiz@example.com'),
    ('C1006', 'Hannah Brooks', 'hannah.brooks@example.com'),
    ('C1007', 'Ian McAllister', 'ian.mcallister@example.com'),
    ('C1008', 'Robert Hale', 'robert.hale@example.com'),
    ('C1009', 'Nina Petrov', 'nina.petrov@example.com'),
    ('C1010', 'Anna Miller', 'anna.miller@example.com'),
    ('C1011', 'Walter Young', 'walter.young@example.com'),
    ('C1012', 'Sofia Marino', 'sofia.marino@example.com');

INSERT INTO orders (number, customer_id, item, total, delivery_kind, delivery_fee, status,
    placed_on, promised_on, expected_on, delivered_on, returned_on, carrier, tracking, address)
VALUES
    ('44172', 'C1001', 'desk chair', 189.00, 'standard', 4.90, 'in_transit',
        day(-13), day(-6), day(2), NULL, NULL, 'Swift Parcel', '730019', '12 Elm Street'),
    ('52710', 'C1002', 'photo frame', 34.50, 'standard', 4.90, 'placed',
        day(-2), day(4), day(4), NULL, NULL, 'Swift Parcel', '730544', '8 Harbor Road'),
    ('55031', 'C1003', 'winter coat', 129.90, 'standard', 0, 'delivered',
        day(-8), day(-3), NULL, day(-4), NULL, 'Northline', '418820', '51 Mill Lane'),
    ('66098', 'C1004', 'coffee machine', 219.00, 'standard', 0, 'delivered',
        day(-5), day(0), NULL, day(-1), NULL, 'Northline', '418977', '3 Orchard Way'),
    ('66120', 'C1004', 'coffee grinder', 64.00, 'standard', 4.90, 'in_transit',
        day(-4), day(2), day(1), NULL, NULL, 'Northline', '418991', '3 Orchard Way'),
    ('71308', 'C1005', 'bookshelf', 149.00, 'standard', 4.90, 'in_transit',
        day(-3), day(3), day(2), NULL, NULL, 'Swift Parcel', '730610', '27 Park Avenue'),
    ('71644', 'C1006', 'wool blanket', 59.00, 'express', 12.00, 'delivered',
        day(-9), day(-8), NULL, day(-8), NULL, 'Northline', '418702', '90 River Street'),
    ('80377', 'C1007', 'pair of hiking boots', 115.00, 'standard', 4.90, 'delivered',
        day(-7), day(-2), NULL, day(-2), NULL, 'Swift Parcel', '730488', '5 Castle Hill'),
    ('82460', 'C1008', 'pair of running shoes', 89.95, 'standard', 4.90, 'returned',
        day(-31), day(-26), NULL, day(-26), day(-14), 'Swift Parcel', '729933', '44 Lake Drive'),
    ('90225', 'C1009', 'table lamp', 74.00, 'standard', 4.90, 'delivered',
        day(-6), day(-1), NULL, day(-1), NULL, 'Northline', '418940', '16 Birch Court'),
    ('904115', 'C1010', 'rain jacket', 98.00, 'standard', 4.90, 'delivered',
        day(-10), day(-5), NULL, day(-5), NULL, 'Northline', '418655', '7 Garden Terrace'),
    ('4571', 'C1011', 'electric kettle', 45.00, 'standard', 4.90, 'in_transit',
        day(-6), day(1), day(1), NULL, NULL, 'Swift Parcel', '730587', '2 Chapel Square'),
    ('4572', 'C1011', 'toaster', 39.00, 'standard', 0, 'placed',
        day(-1), day(5), day(5), NULL, NULL, 'Swift Parcel', '730702', '2 Chapel Square'),
    ('6203', 'C1012', 'pair of headphones', 159.00, 'express', 12.00, 'lost',
        day(-15), day(-12), NULL, NULL, NULL, 'Northline', '418101', '38 Beacon Street');

INSERT INTO charges (order_number, amount, charged_on)
    SELECT number, total + delivery_fee, placed_on FROM orders;
-- Priya Nair's card was charged a second time.
INSERT INTO charges (order_number, amount, charged_on) VALUES ('55031', 129.90, day(-7));
