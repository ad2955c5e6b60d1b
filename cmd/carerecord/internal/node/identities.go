package node

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"carerecord/consent/audit"
	"carerecord/consent/worklist"
	"carerecord/fhir"
)

// Identities writes a work list of identities (IDN-107) as JSON, one entry a line, of a store that may be served.
func Identities(ctx context.Context, cfg Config, list worklist.List, out io.Writer) error {
	if server := dial(cfg); server != nil {
		return server.stream(ctx, http.MethodGet, "/identities?list="+url.QueryEscape(string(list)), nil, out)
	}
	n, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer n.Close()
	refused := worklist.Check(n.guard, list)
	o := withOutcome(audit.Operation{Name: identityList, Who: operatorName(), Of: string(list)}, refused)
	if err := errors.Join(refused, n.audit(ctx, o)); err != nil {
		return err
	}
	return n.writeIdentities(ctx, list, out, func() error { return nil })
}

// identityList is the name of the operation in the audit trail.
const identityList = "identity-list"

// writeIdentities writes a work list. It calls flush before each page of Patients.
func (n *Node) writeIdentities(ctx context.Context, list worklist.List, out io.Writer, flush func() error) error {
	buffered := bufio.NewWriter(out)
	lines := json.NewEncoder(buffered)
	err := worklist.Walk(ctx, n.guard, list, func() error {
		if !n.lease.valid() {
			return errLeaseLost
		}
		return errors.Join(ctx.Err(), buffered.Flush(), flush())
	}, func(e worklist.Entry) error { return lines.Encode(e) })
	return errors.Join(err, buffered.Flush())
}

// identitiesDeadline is how long the reading of one page of Patients, and the receipt of its entries, may take.
const identitiesDeadline = 30 * time.Second

// answerIdentities answers GET /identities on the socket and GET /admin/identities. The entries are sent while
// Patients are read; an answer that ends early breaks the connection.
func (n *Node) answerIdentities(w http.ResponseWriter, q *http.Request) {
	list := worklist.List(q.URL.Query().Get("list"))
	if err := worklist.Check(n.guard, list); err != nil {
		refuseIdentities(w, q, err)
		return
	}
	unsent, ok := w.(*unsentResponse)
	if !ok {
		panic("an answer that is not recorded")
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	unsent.of = string(list)
	unsent.stream = func(w http.ResponseWriter) {
		if q.Method == http.MethodHead {
			return
		}
		sent := http.NewResponseController(w)
		err := n.writeIdentities(q.Context(), list, w, func() error {
			// Writers of tests have no deadlines.
			if err := sent.SetWriteDeadline(time.Now().Add(identitiesDeadline)); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return err
			}
			return sent.Flush()
		})
		if err != nil {
			n.log.Error("a work list of identities ended early", "list", string(list), "err", err)
			panic(http.ErrAbortHandler)
		}
	}
}

// refuseIdentities answers a request for a list that cannot be made: as an OperationOutcome, on the socket as text.
func refuseIdentities(w http.ResponseWriter, q *http.Request, err error) {
	status, code := http.StatusUnprocessableEntity, "not-supported"
	if errors.Is(err, worklist.ErrUnknown) {
		status, code = http.StatusBadRequest, "value"
	}
	if strings.HasPrefix(q.URL.Path, "/admin/") {
		writeError(w, fhir.Fault(status, code, "%v.", err))
		return
	}
	http.Error(w, err.Error(), status)
}
