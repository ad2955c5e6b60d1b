package clients

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"carerecord/interop/smart/logo"
)

// LogoPath is the path below which the logos of clients are served. The name of a logo is its digest.
const LogoPath = "/pages/logos/"

// sealLogo replaces the image of a registration by the PNG that is made of it, and notes its digest. The error says why the image is
// refused.
func (c *Client) sealLogo() error {
	if c.LogoDigest = ""; len(c.Logo) == 0 {
		c.Logo = nil
		return nil
	}
	made, err := logo.Clean(c.Logo)
	if err != nil {
		return fmt.Errorf("logo: %w", err)
	}
	sum := sha256.Sum256(made)
	c.Logo, c.LogoDigest = made, hex.EncodeToString(sum[:])
	return nil
}

// LogoPath returns the path of the logo of a client that is served now; "" for none.
func (r *Registry) LogoPath(c *Client) string {
	if c.LogoDigest == "" || !r.Serves(c) {
		return ""
	}
	return LogoPath + c.LogoDigest + ".png"
}

// Logo returns the logo with a digest, which a client that is served now has; ErrUnknown for none. The path
// has no client id, so it tells nobody which clients exist: a digest is known only from a page with the logo, or from the image. The image
// of a proposal or of a suspended client is not served.
func (r *Registry) Logo(ctx context.Context, digest string) ([]byte, error) {
	if raw, err := hex.DecodeString(digest); err != nil || len(raw) != sha256.Size {
		return nil, ErrUnknown
	}
	all, err := r.kept(ctx, &r.logos, func(c *Client) bool { return c.LogoDigest != "" })
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(c *Client) bool { return c.LogoDigest == digest && r.Serves(c) })
	if i < 0 {
		return nil, ErrUnknown
	}
	return all[i].Logo, nil
}
