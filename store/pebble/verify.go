package pebble

import "context"

func (db *DB) Verify(ctx context.Context) error { return nil }
