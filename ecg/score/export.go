package score

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
)

// Report is the machine-readable form of a scoring.
type Report struct {
	Records map[string]RecordReport `json:"records"`
	Gross   map[string]Gross        `json:"gross"`
	Stats   *Stats                  `json:"stats,omitempty"`
}

// RecordReport is one record of a Report.
type RecordReport struct {
	EC57       Summary `json:"ec57"`
	Full       Summary `json:"full"`
	HRRef      Number  `json:"hr_ref"`
	HRDet      Number  `json:"hr_det"`
	RMSSDRef   Number  `json:"rmssd_ref"`
	RMSSDDet   Number  `json:"rmssd_det"`
	SDNNRef    Number  `json:"sdnn_ref"`
	SDNNDet    Number  `json:"sdnn_det"`
	Detections int     `json:"ndet"`
	FS         float64 `json:"fs"`
}

// NewReport summarises scored records.
func NewReport(recs []Record) Report {
	r := Report{Records: map[string]RecordReport{}, Gross: map[string]Gross{}}
	for _, x := range recs {
		r.Records[x.Name] = RecordReport{
			EC57: x.EC57.Summary(), Full: x.Full.Summary(),
			HRRef: Number(x.Want.HR), HRDet: Number(x.Got.HR),
			RMSSDRef: Number(x.Want.RMSSD), RMSSDDet: Number(x.Got.RMSSD),
			SDNNRef: Number(x.Want.SDNN), SDNNDet: Number(x.Got.SDNN),
			Detections: x.Detections, FS: x.FS,
		}
	}
	for _, g := range grossLines(recs) {
		r.Gross[g.name] = g.Gross
	}
	if s, ok := statsOf(recs); ok {
		r.Stats = &s
	}
	return r
}

// WriteCSV writes both views of every record, six digits.
func WriteCSV(w io.Writer, recs []Record) error {
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, "record,view,beats,tp,fn,fp,se,ppv,f1,der,off_ms,jit_ms,rre_ms,rr95_ms,rr_rms_ms,rr_n")
	for _, r := range recs {
		for _, v := range []struct {
			name string
			view View
		}{{"ec57", r.EC57}, {"full", r.Full}} {
			s := v.view.Summary()
			fmt.Fprintf(out, "%s,%s", r.Name, v.name)
			for _, x := range []Number{Number(s.Beats), Number(s.TP), Number(s.FN), Number(s.FP), s.Se, s.PPV, s.F1, s.DER,
				s.Off, s.Jit, s.RRe, s.RR95, s.RRRms, Number(s.RRN)} {
				fmt.Fprint(out, ",", general(float64(x)))
			}
			fmt.Fprintln(out)
		}
	}
	return out.Flush()
}

// general prints like C's %.6g.
func general(x float64) string {
	if math.IsNaN(x) {
		return "nan"
	}
	return strconv.FormatFloat(x, 'g', 6, 64)
}
