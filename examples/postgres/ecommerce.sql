-- A small shop, as the source of sluice.yaml:  createdb ecommerce && psql ecommerce -f ecommerce.sql
CREATE TYPE order_status AS ENUM ('cart', 'paid', 'shipped', 'returned');

CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text,
    tags text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE customers IS 'Who buys';
COMMENT ON COLUMN customers.tags IS 'what marketing calls them';

CREATE TABLE products (
    sku text PRIMARY KEY,
    title text NOT NULL,
    price numeric(10, 2) NOT NULL CHECK (price >= 0),
    attributes jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    status order_status NOT NULL DEFAULT 'cart',
    placed_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX orders_updated_at ON orders (updated_at);

CREATE TABLE order_items (
    order_id bigint NOT NULL REFERENCES orders ON DELETE CASCADE,
    line int NOT NULL,
    sku text NOT NULL REFERENCES products,
    quantity int NOT NULL,
    price numeric(10, 2) NOT NULL,
    PRIMARY KEY (order_id, line)
);

INSERT INTO customers (email, name, tags)
SELECT 'customer' || i || '@example.com', 'Customer ' || i, CASE WHEN i % 10 = 0 THEN '{vip,newsletter}'::text[] ELSE '{}' END
FROM generate_series(1, 200) i;
INSERT INTO products
SELECT 'sku-' || i, 'Product ' || i, i * 1.25, jsonb_build_object('colour', (ARRAY['red', 'blue', NULL])[1 + i % 3], 'weight_kg', i / 8.0)
FROM generate_series(1, 50) i;
INSERT INTO orders (customer_id, status, placed_at)
SELECT 1 + i % 200, (ARRAY['cart', 'paid', 'shipped'])[1 + i % 3]::order_status, CASE WHEN i % 3 > 0 THEN now() - i * interval '1 hour' END
FROM generate_series(1, 1000) i;
INSERT INTO order_items
SELECT 1 + (i - 1) / 2, 1 + i % 2, 'sku-' || 1 + i % 50, 1 + i % 4, (1 + i % 50) * 1.25 FROM generate_series(1, 2000) i;
