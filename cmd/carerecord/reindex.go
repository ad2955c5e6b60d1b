package main

import (
	"cmp"
	"context"
	"os"

	"carerecord/cmd/carerecord/internal/node"
)

// reindexCmd rekeys every document.
type reindexCmd struct {
	siteFlags
	Status    bool  `help:"Print the progress of the last reindex, and change nothing."`
	WordIndex *bool `help:"Index all words, for _text and _content, or remove that index. Default: as the store is keyed. Not while a server runs." negatable:""`
	Rate      int   `help:"How many documents a second at most. Default: no limit on a store at rest, 2000 while a server runs. -1 is no limit."`
}

// Run prints the progress after the reindex.
func (c *reindexCmd) Run(ctx context.Context) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	cfg.WordIndex = c.WordIndex
	var st *node.IndexStatus
	if c.Status {
		st, err = node.ReindexStatus(ctx, cfg)
	} else {
		st, err = node.Reindex(ctx, cfg, c.Rate)
	}
	if st == nil {
		return err
	}
	return cmp.Or(err, st.Print(os.Stdout))
}
