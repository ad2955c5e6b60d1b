package rest

import "context"

// lastN is Observation/$lastn (OPER-040).
func (s *Server) lastN(ctx context.Context, c *call) (*answer, error) {
	if err := s.readParameters(ctx, c); err != nil {
		return nil, err
	}
	request, err := s.cfg.Search.LastN(c.typ+"/$lastn", c.params)
	if err != nil {
		return nil, err
	}
	return s.run(ctx, c, request, nil)
}
