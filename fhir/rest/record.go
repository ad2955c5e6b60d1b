package rest

import (
	"context"
	"errors"

	"carerecord/consent"
	"carerecord/consent/audit"
)

// record returns the audit record of a call and its answer (AUD-301 to 303).
func (s *Server) record(ctx context.Context, c *call, a *answer, err error) audit.Record {
	r := audit.Record{Recorded: s.cfg.Clock().UTC(), Request: c.requestID, Interaction: string(c.interaction), Type: c.typ,
		Status: a.reported(), Disclosed: a.disclosed, Count: a.count, Query: c.query(), LeakedToken: c.leakedToken}
	if c.id != "" {
		r.Type += "/" + c.id
	}
	r.Agent, r.Client = audit.AgentOf(c.caller)
	r.Client.Address = address(c.r)
	r.Named = s.patientOf(ctx, c, err)
	r.Decision = decisionOf(c, a, err)
	return r
}

// patientOf returns the id of the patient whom a call names, whether it was permitted or refused (AUD-303).
func (s *Server) patientOf(ctx context.Context, c *call, err error) string {
	if c.granted != nil && c.granted.Patient() != "" {
		return c.granted.Patient()
	}
	switch {
	case c.named.ID != "":
		return c.named.ID
	case c.typ == "Patient" && c.id != "":
		return c.id
	case c.named.Where != nil:
		return s.cfg.Guard.ResolveNamed(ctx, c.named)
	case err != nil && !c.criteria.None():
		return s.cfg.Guard.ResolveNamed(ctx, c.criteria)
	}
	return ""
}

// decisionOf returns the outcome of a call's decision.
func decisionOf(c *call, a *answer, err error) audit.Decision {
	var refusal *consent.Refusal
	out := audit.Decision{Outcome: "permit"}
	if c.granted != nil {
		out.Step, out.Reason = c.granted.Step, c.granted.Reason
	}
	switch {
	case errors.As(err, &refusal):
		return audit.Decision{Outcome: "refuse", Step: refusal.Step, Reason: refusal.Reason}
	case err != nil && a.status >= 500:
		out.Outcome = "fail"
	case err != nil && (a.status == 401 || a.status == 403):
		out.Outcome = "refuse"
	}
	return out
}
