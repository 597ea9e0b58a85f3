-- The demonstration bank. `day(n)` is the date n days from the day of the seeding.

CREATE TABLE accounts (
    number TEXT PRIMARY KEY, customer_id TEXT NOT NULL, kind TEXT NOT NULL,
    balance REAL NOT NULL, overdraft REAL NOT NULL DEFAULT 0
);

CREATE TABLE cards (
    number TEXT PRIMARY KEY, customer_id TEXT NOT NULL, kind TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'blocked', 'stopped', 'posted')),
    why TEXT, arrives_on TEXT
);

CREATE TABLE payments (
    id TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts (number), payee TEXT NOT NULL,
    amount REAL NOT NULL, booked_on TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'booked'
);

CREATE TABLE transfers (
    reference TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts (number),
    payee TEXT NOT NULL, amount REAL NOT NULL, sent_on TEXT NOT NULL, due_on TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('sent', 'arrived', 'returned', 'traced'))
);

CREATE TABLE fees (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts (number), what TEXT NOT NULL,
    amount REAL NOT NULL, booked_on TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('wrong', 'agreed', 'refunded'))
);

CREATE TABLE loans (
    number TEXT PRIMARY KEY, customer_id TEXT NOT NULL, rate REAL NOT NULL, due_on TEXT NOT NULL,
    paused INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE tickets (
    reference TEXT PRIMARY KEY, customer_id TEXT, kind TEXT NOT NULL, about TEXT,
    opened_on TEXT NOT NULL, due_on TEXT NOT NULL
);

INSERT INTO accounts VALUES
    ('20410087', 'B2001', 'current account', 1240.55, 500),
    ('20410192', 'B2002', 'current account', 86.10, 0),
    ('20410205', 'B2003', 'current account', 412.00, 250),
    ('20410206', 'B2003', 'savings account', 9150.00, 0),
    ('20410311', 'B2004', 'current account', 35.20, 0);

INSERT INTO cards VALUES
    ('4417', 'B2001', 'debit card', 'active', NULL, NULL),
    ('5530', 'B2002', 'debit card', 'blocked', 'three wrong PINs', NULL),
    ('6621', 'B2003', 'debit card', 'posted', NULL, day(2)),
    ('7718', 'B2004', 'debit card', 'active', NULL, NULL);

INSERT INTO payments (id, account, payee, amount, booked_on) VALUES
    ('88101', '20410087', 'Quick Top Up', 79.99, day(-1)),
    ('88107', '20410192', 'City Gym', 24.00, day(-3)),
    ('88112', '20410205', 'Harbour Hotel', 310.00, day(-2));

INSERT INTO transfers VALUES
    ('T501', '20410087', 'J. Barlow', 450.00, day(-1), day(1), 'sent'),
    ('T502', '20410205', 'Oak Lettings', 780.00, day(-6), day(-4), 'sent');

INSERT INTO fees (account, what, amount, booked_on, state) VALUES
    ('20410087', 'account fee', 3.50, day(-5), 'agreed'),
    ('20410192', 'returned payment fee', 12.00, day(-4), 'wrong'),
    ('20410205', 'overdraft fee', 8.40, day(-7), 'agreed');

INSERT INTO loans VALUES
    ('L7001', 'B2004', 185.00, day(6), 0),
    ('L7002', 'B2003', 240.00, day(12), 0);
