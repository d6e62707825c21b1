package wire

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Codes that every node understands, stable across versions: a role maps them
// to exit codes. Those up to CodeRate come from the rules of the ledger.
const (
	CodeMalformed     = "malformed"
	CodeTooLarge      = "too_large"
	CodeUnknownSigner = "unknown_signer"
	CodeBadSignature  = "bad_signature"
	CodeWrongRole     = "wrong_role"
	CodePolicy        = "policy"
	CodePhase         = "phase"
	CodeLate          = "late"
	CodeStale         = "stale"
	CodeConflict      = "conflict"
	CodeDiskLow       = "disk_low"
	CodeRate          = "rate"
	CodeNotFound      = "not_found"
	CodeNotAllowed    = "not_allowed" // the peer's role may not call this method
	CodeUnavailable   = "unavailable" // outcome unknown: send the same bytes again
	CodeDeadline      = "deadline"    // outcome unknown, likewise
	CodeInterrupted   = "interrupted"
	CodeInternal      = "internal"
	CodeBadAnswer     = "bad_answer" // found here: the peer's answer broke a limit or its digest
)

// grpcCodes is the stable mapping; a code that is not listed is Internal.
var grpcCodes = map[string]codes.Code{
	CodeMalformed:     codes.InvalidArgument,
	CodeTooLarge:      codes.InvalidArgument,
	CodeUnknownSigner: codes.PermissionDenied,
	CodeBadSignature:  codes.PermissionDenied,
	CodeWrongRole:     codes.PermissionDenied,
	CodePolicy:        codes.FailedPrecondition,
	CodePhase:         codes.FailedPrecondition,
	CodeLate:          codes.FailedPrecondition,
	CodeStale:         codes.FailedPrecondition,
	CodeConflict:      codes.AlreadyExists,
	CodeDiskLow:       codes.ResourceExhausted,
	CodeRate:          codes.ResourceExhausted,
	CodeNotFound:      codes.NotFound,
	CodeNotAllowed:    codes.PermissionDenied,
	CodeUnavailable:   codes.Unavailable,
	CodeDeadline:      codes.DeadlineExceeded,
	CodeInterrupted:   codes.Canceled,
	CodeInternal:      codes.Internal,
	CodeBadAnswer:     codes.DataLoss,
}

// errorDomain marks an ErrorInfo as one of ours.
const errorDomain = "statnet"

// Error is an error that crosses the wire with its code.
type Error struct {
	Code string     // one of the Code constants, or a role's own word
	Text string     // for people; never about a patient
	GRPC codes.Code // status code; 0 takes it from Code
	Op   string     // at the caller: what was tried, on whom, e.g. "submit to verifier/v1"
}

// NewError makes an error for a handler to return.
func NewError(code, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string {
	s := e.Code + ": " + e.Text
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	return s
}

// OutcomeUnknown reports that the peer may or may not have done what was
// asked. Sending the same bytes again is safe and tells.
func (e *Error) OutcomeUnknown() bool {
	c := e.grpcCode()
	return c == codes.Unavailable || c == codes.DeadlineExceeded || c == codes.Canceled
}

// Is makes errors.Is see through the wire for the two errors of context.
func (e *Error) Is(target error) bool {
	switch target {
	case context.Canceled:
		return e.grpcCode() == codes.Canceled
	case context.DeadlineExceeded:
		return e.grpcCode() == codes.DeadlineExceeded
	}
	return false
}

func (e *Error) grpcCode() codes.Code {
	if e.GRPC != codes.OK {
		return e.GRPC
	}
	if c, ok := grpcCodes[e.Code]; ok {
		return c
	}
	return codes.Internal
}

// Code returns the code of an error from this package, "" of any other.
func Code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// OutcomeUnknown reports whether err says that the peer may have acted.
func OutcomeUnknown(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.OutcomeUnknown()
}

// GRPCStatus is how an Error leaves a handler.
func (e *Error) GRPCStatus() *status.Status {
	st := status.New(e.grpcCode(), cleanText(e.Text))
	with, err := st.WithDetails(&errdetails.ErrorInfo{Reason: cleanText(e.Code), Domain: errorDomain})
	if err != nil {
		return st
	}
	return with
}

// fromStatus turns what a call returned into an *Error that says what was tried.
func fromStatus(op string, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) { // already ours: found before anything was sent
		return &Error{Code: e.Code, Text: e.Text, GRPC: e.GRPC, Op: op}
	}
	st := status.Convert(contextStatus(err))
	out := &Error{Code: codeOf(st.Code()), Text: cleanText(st.Message()), GRPC: st.Code(), Op: op}
	ours := false
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == errorDomain {
			out.Code, ours = cleanText(info.GetReason()), true
		}
	}
	if !ours {
		out.Text = plainText(out.Text)
	}
	return out
}

// wrappings are what gRPC and its transport write around a cause. The reader of
// a message has to do with addresses and certificates, not with layers.
var wrappings = []struct{ from, to string }{
	{"transport: Error while dialing: ", ""},
	{"transport: authentication handshake failed: ", "TLS handshake: "},
	{"connection error: ", ""},
	{"error reading server preface: ", "no answer to the greeting: "},
	{"remote error: tls: bad certificate", "the node refused this node's certificate"},
	{"remote error: tls: expired certificate", "the node finds this node's certificate expired"},
	{"context deadline exceeded", "no answer in time"},
}

// plainText is a text of gRPC's own without its layers: of
// `rpc error: code = Unavailable desc = connection error: desc = "transport:
// Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"` only
// "dial tcp 127.0.0.1:1: connect: connection refused" is left.
func plainText(s string) string {
	if i := strings.LastIndex(s, "desc = "); i >= 0 {
		s = strings.Trim(s[i+len("desc = "):], `"\`)
	}
	for _, w := range wrappings {
		s = strings.Replace(s, w.from, w.to, 1)
	}
	return s
}

// codeOf names a status that came without our detail: from gRPC itself, or
// from a peer that is not statnet.
func codeOf(c codes.Code) string {
	switch c {
	case codes.Unavailable:
		return CodeUnavailable
	case codes.DeadlineExceeded:
		return CodeDeadline
	case codes.Canceled:
		return CodeInterrupted
	case codes.ResourceExhausted:
		return CodeTooLarge // the only limit gRPC itself reports is on size
	case codes.PermissionDenied, codes.Unauthenticated:
		return CodeNotAllowed
	case codes.InvalidArgument:
		return CodeMalformed
	case codes.NotFound:
		return CodeNotFound
	}
	return CodeInternal
}

// contextStatus gives a bare context error its status; others pass.
func contextStatus(err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	return err
}

// cleanText bounds a peer's text and strips what could forge a log line.
func cleanText(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	s = strings.ToValidUTF8(s, "?")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}
