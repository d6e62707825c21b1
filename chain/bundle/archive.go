package bundle

import (
	"archive/tar"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/fxamacker/cbor/v2"

	"statnet/chain/note"
	"statnet/chain/record"
)

// Members of the archive, in their order.
const (
	memberVersion     = "statnet-bundle"
	memberCluster     = "cluster.yaml"
	memberPolicy      = "policy.txt"
	memberNote        = "checkpoint.note"
	memberConsistency = "consistency.cbor" // may be absent
	memberRecords     = "records.cbor"
	memberResult      = "result.json"
	memberSignature   = "querier.sig"
)

var memberOrder = []string{memberVersion, memberCluster, memberPolicy, memberNote, memberConsistency,
	memberRecords, memberResult, memberSignature}

const (
	version    = "1\n"
	maxMember  = 64 << 20  // bytes
	maxArchive = 128 << 20 // bytes
	maxRecords = 100_000
)

// ErrArchive reports bytes that are not the one archive of a receipt.
var ErrArchive = errors.New("not a receipt archive")

type member struct {
	name string
	data []byte
}

// members lists what the archive holds, without the signature.
func (r *Receipt) members() ([]member, error) {
	ms := []member{{memberVersion, []byte(version)}, {memberCluster, r.Cluster}, {memberPolicy, r.Policy}, {memberNote, r.Note}}
	if r.Consistency != nil {
		b, err := record.EncodeStrict(r.Consistency)
		if err != nil {
			return nil, err
		}
		ms = append(ms, member{memberConsistency, b})
	}
	var seq []byte
	for _, rec := range r.Records {
		b, err := record.EncodeStrict(rec)
		if err != nil {
			return nil, err
		}
		seq = append(seq, b...)
	}
	return append(ms, member{memberRecords, seq}, member{memberResult, r.Result}), nil
}

// signedBytes is the message of the querier's signature: every member with its
// name and length.
func (r *Receipt) signedBytes(origin string) ([]byte, error) {
	ms, err := r.members()
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	for _, m := range ms {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(m.name))))
		h.Write([]byte(m.name))
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(m.data))))
		h.Write(m.data)
	}
	b := []byte("statnet/receipt/v1\x00")
	b = binary.BigEndian.AppendUint16(b, uint16(min(len(origin), 1<<16-1)))
	b = append(b, origin...)
	return h.Sum(b), nil
}

// Sign puts the querier's signature under the receipt. It is what ties
// result.json to the records: the ledger holds no values.
func (r *Receipt) Sign(origin string, querier record.Signer) error {
	msg, err := r.signedBytes(origin)
	if err != nil {
		return fmt.Errorf("sign receipt: %w", err)
	}
	sig, err := querier.Sign(msg)
	if err != nil {
		return fmt.Errorf("sign receipt: %w", err)
	}
	if len(sig) != ed25519.SignatureSize {
		return fmt.Errorf("sign receipt: signature of %d bytes, want 64", len(sig))
	}
	r.Signature = [64]byte(sig)
	return nil
}

// Write writes the archive: ustar, fixed order, zero times.
func (r *Receipt) Write(w io.Writer) error {
	ms, err := r.members()
	if err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	tw := tar.NewWriter(w)
	for _, m := range append(ms, member{memberSignature, r.Signature[:]}) {
		if len(m.data) > maxMember {
			return fmt.Errorf("write receipt: %s has %d bytes, limit %d", m.name, len(m.data), maxMember)
		}
		if err := tw.WriteHeader(header(m)); err != nil {
			return fmt.Errorf("write receipt: %s: %w", m.name, err)
		}
		if _, err := tw.Write(m.data); err != nil {
			return fmt.Errorf("write receipt: %s: %w", m.name, err)
		}
	}
	if err := tw.Close(); err != nil {
		return fmt.Errorf("write receipt: %w", err)
	}
	return nil
}

func header(m member) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: m.name, Mode: 0o644, Size: int64(len(m.data)), Format: tar.FormatUSTAR}
}

// Read takes an archive apart. It refuses other names, links, doubles, another
// order, times, and anything else that Write would not write; nothing is
// written to disk. It checks no signature: see Verify.
func Read(data []byte) (*Receipt, error) {
	if len(data) > maxArchive {
		return nil, archiveErr("%d bytes, limit %d", len(data), maxArchive)
	}
	r := &Receipt{}
	tr := tar.NewReader(bytes.NewReader(data))
	next := 0
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, archiveErr("%v", err)
		}
		for next < len(memberOrder) && memberOrder[next] != h.Name {
			next++
		}
		if next == len(memberOrder) || h.Typeflag != tar.TypeReg || h.Size < 0 || h.Size > maxMember {
			return nil, archiveErr("member %.40q: unknown, doubled, out of order, not a file or over %d bytes", h.Name, maxMember)
		}
		next++
		b, err := io.ReadAll(io.LimitReader(tr, h.Size))
		if err != nil {
			return nil, archiveErr("member %s: %v", h.Name, err)
		}
		if err := r.set(h.Name, b); err != nil {
			return nil, err
		}
	}
	var again bytes.Buffer
	if err := r.Write(&again); err != nil {
		return nil, archiveErr("%v", err)
	}
	if !bytes.Equal(again.Bytes(), data) {
		return nil, archiveErr("member missing, or not the one encoding (ustar, mode 0644, no owner, no times)")
	}
	return r, nil
}

func archiveErr(format string, args ...any) error {
	return &Failure{Check: "archive", Item: fmt.Sprintf(format, args...), Err: ErrArchive}
}

func (r *Receipt) set(name string, b []byte) error {
	switch name {
	case memberVersion:
		if string(b) != version {
			return archiveErr("%s: version %.16q, want %q", name, b, version)
		}
	case memberCluster:
		r.Cluster = b
	case memberPolicy:
		r.Policy = b
	case memberNote:
		r.Note = b
	case memberConsistency:
		r.Consistency = new(Consistency)
		if err := record.DecodeStrict(b, r.Consistency); err != nil {
			return archiveErr("%s: %v", name, err)
		}
	case memberRecords:
		return r.setRecords(b)
	case memberResult:
		r.Result = b
	case memberSignature:
		if len(b) != len(r.Signature) {
			return archiveErr("%s: %d bytes, want %d", name, len(b), len(r.Signature))
		}
		r.Signature = [64]byte(b)
	}
	return nil
}

// setRecords splits the CBOR sequence and decodes each item strictly.
func (r *Receipt) setRecords(b []byte) error {
	for len(b) > 0 {
		var raw cbor.RawMessage
		rest, err := splitMode.UnmarshalFirst(b, &raw)
		if err != nil || len(r.Records) == maxRecords {
			return archiveErr("%s: item %d: %v", memberRecords, len(r.Records), err)
		}
		var rec Record
		if err := decodeRecord(raw, &rec); err != nil {
			return archiveErr("%s: item %d: %v", memberRecords, len(r.Records), err)
		}
		r.Records = append(r.Records, rec)
		b = rest
	}
	return nil
}

// maxItem is a leaf of the largest size with its proof.
const maxItem = record.MaxLeaf + 4096

func decodeRecord(raw []byte, rec *Record) error {
	if len(raw) > maxItem {
		return fmt.Errorf("%d bytes, limit %d", len(raw), maxItem)
	}
	if err := splitMode.Unmarshal(raw, rec); err != nil {
		return err
	}
	again, err := record.EncodeStrict(*rec)
	if err != nil || !bytes.Equal(again, raw) {
		return fmt.Errorf("not the deterministic encoding")
	}
	return nil
}

// splitMode bounds what one item of the sequence may hold.
var splitMode = func() cbor.DecMode {
	m, err := cbor.DecOptions{IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		MaxNestedLevels: 4, MaxArrayElements: 128, MaxMapPairs: 16}.DecMode()
	if err != nil {
		panic("bundle: codec options: " + err.Error()) // constants of this file
	}
	return m
}()

// Verify checks an archive against a policy that the caller got elsewhere: a
// file given by hand, or the genesis pinned in a state directory.
func Verify(rd io.Reader, policy note.Policy) (*Report, error) {
	data, err := io.ReadAll(io.LimitReader(rd, maxArchive+1))
	if err != nil {
		return nil, fmt.Errorf("read receipt: %w", err)
	}
	r, err := Read(data)
	if err != nil {
		return nil, err
	}
	report, err := Check(r, policy)
	if err != nil {
		return nil, err
	}
	if err := r.checkSignature(report, policy.Origin); err != nil {
		return nil, err
	}
	report.Lines = append(report.Lines, "ok  receipt: signed by "+report.Query.Querier)
	report.NotChecked = append(report.NotChecked,
		"result.json: its numbers are the word of "+report.Query.Querier+"; only the querier's key opens the sum")
	return report, nil
}

// checkSignature finds the querier's key in the QUERY's roster: GENESIS.
func (r *Receipt) checkSignature(report *Report, origin string) error {
	g, err := record.Decode(r.Records[0].Leaf)
	if err != nil {
		return &Failure{Check: "record", Item: "leaf 0", Err: err}
	}
	msg, err := r.signedBytes(origin)
	if err != nil {
		return fmt.Errorf("verify receipt: %w", err)
	}
	for _, m := range g.Payload.(*record.Genesis).Members {
		if m.Path == report.Query.Querier && ed25519.Verify(m.PublicKey(), msg, r.Signature[:]) {
			return nil
		}
	}
	return fail("signature", memberSignature, "not %s's over this receipt: a member was changed after it was written", report.Query.Querier)
}
