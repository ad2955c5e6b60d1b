package keys

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Rotate makes the next key, which is published now and signs later, and removes the files of retired keys. In an emergency, where
// a private key may be known to others, the new key signs at once and the files of all others are removed: ID tokens that they have
// signed cannot be verified any more. It returns the new key. It is an error, without an emergency, if a key waits already. If
// files cannot be removed, the others are, and the new key is in use: it is returned with an error that names them.
func (k *Keys) Rotate(emergency bool) (Listed, error) {
	k.turn.Lock()
	defer k.turn.Unlock()
	if err := k.Reload(); err != nil {
		return Listed{}, err
	}
	before, now := *k.list.Load(), k.clock().UTC()
	starts := now.Add(lead).Truncate(time.Second).Add(time.Second)
	if emergency {
		starts = now.Truncate(time.Second)
	} else if last := before[len(before)-1]; last.starts.After(now) {
		return Listed{}, fmt.Errorf("the key %s begins to sign at %s: wait for it, or use --emergency", last.public.KeyID, last.starts.Format(time.RFC3339))
	}
	name := prefix + starts.Format(startForm) + suffix
	_, err := generate(k.dir, name)
	if errors.Is(err, os.ErrExist) {
		return Listed{}, fmt.Errorf("a key was made in this second: %s", name)
	}
	if err != nil {
		return Listed{}, err
	}
	for i, one := range before {
		if !emergency && !retired(before, i, now) {
			continue
		}
		if failed := os.Remove(filepath.Join(k.dir, one.file)); failed != nil && !errors.Is(failed, os.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("remove a signing key: %w", failed))
		}
	}
	err = errors.Join(err, k.Reload())
	list := *k.list.Load()
	for i, one := range k.describe(list) {
		if list[i].file == name {
			return one, err
		}
	}
	if err == nil {
		err = fmt.Errorf("the key %s was removed meanwhile", name)
	}
	return Listed{}, err
}
