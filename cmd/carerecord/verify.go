package main

import (
	"context"
	"errors"
	"fmt"

	"carerecord/consent/audit"
	"carerecord/consent/reindex"
)

// verifyCmd verifies a store that no server holds.
type verifyCmd struct {
	siteFlags
}

// maxTold is how many documents under wrong keys are named.
const maxTold = 20

// Run reads the whole store: whether what the engine keeps agrees with itself,
// and whether every document stands under the keys that a rebuild gives it.
func (c *verifyCmd) Run(ctx context.Context) error {
	s, err := c.settings()
	if err != nil {
		return err
	}
	if socketClient(s) != nil {
		return errors.New("a server holds this store: a store is verified at rest, so stop it first")
	}
	r, err := openRecord(ctx, s)
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.note(ctx, audit.Operation{Name: "verify", Who: operatorName()}); err != nil {
		return err
	}
	var faults []error
	if err := r.engine.Verify(ctx); err != nil {
		faults = append(faults, err)
	}
	wrong := 0
	n, err := reindex.Verify(ctx, r.guard, func(fault error) {
		if wrong++; wrong <= maxTold {
			faults = append(faults, fault)
		}
	})
	if err != nil {
		faults = append(faults, err)
	}
	if !r.held.sure() {
		faults = append(faults, errLost)
	}
	fmt.Printf("documents keyed anew: %d, of which %d stand under other keys\n", n, wrong)
	if len(faults) > 0 {
		return fmt.Errorf("the store is not sound:\n%w", errors.Join(faults...))
	}
	fmt.Println("the store is sound")
	return nil
}
