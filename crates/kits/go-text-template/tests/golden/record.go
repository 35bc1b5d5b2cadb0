// Records what real Go makes of the templates in cases.txt; the answer is go.json beside it.
//
//	mkdir /tmp/record && cp record.go cases.txt /tmp/record && cd /tmp/record
//	go mod init record && go get github.com/Masterminds/sprig/v3 && go run record.go <cases.txt >go.json
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

type URL struct{ BaseRegistry, OSDistro, OSVersion, KubernetesVersion string }

type Case struct {
	Data     string `json:"data"`
	Template string `json:"template"`
	Output   string `json:"output"`
	Stage    string `json:"stage,omitempty"`
	Error    string `json:"error,omitempty"`
}

const workflow = `{"device_1":"02:00:00:00:00:01","n":5,"big":1000000,"tiny":0.00001,"half":1.5,"yes":true,"none":null,"empty":[],
"list":["a","b",3],"map":{"z":"last","a":"first","n":1},
"hardware":{"spec":{"interfaces":[{"dhcp":{"mac":"02:00:00:00:00:01","ip":{"address":"10.0.0.5","netmask":"255.255.255.0"}}}],
"disks":[{"device":"/dev/sda"},{"device":"/dev/nvme0n1"}]}}}`

func main() {
	var data any
	if err := json.Unmarshal([]byte(workflow), &data); err != nil {
		panic(err)
	}
	var cases []Case
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		// kind, tab, template with Go's escapes for line breaks and tabs only
		kind, text, found := strings.Cut(lines.Text(), "\t")
		if !found {
			continue
		}
		text = strings.NewReplacer(`␤`, "\n", `␉`, "\t").Replace(text)
		c := Case{Data: kind, Template: text}
		var root any = URL{"ghcr.io/x", "ubuntu", "2204", "v1.31.2"}
		t := template.New("t")
		if kind != "url" {
			root = data
			t = t.Option("missingkey=error").Funcs(sprig.HermeticTxtFuncMap())
		}
		t, err := t.Parse(text)
		if err != nil {
			c.Stage, c.Error = "parse", err.Error()
		} else {
			var out strings.Builder
			if err := t.Execute(&out, root); err != nil {
				c.Stage, c.Error = "exec", err.Error()
			} else {
				c.Output = out.String()
			}
		}
		cases = append(cases, c)
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	out.WriteString("{\"workflow\": " + workflow + ",\n\"cases\": [\n")
	for i, c := range cases {
		line, _ := json.Marshal(c)
		out.WriteString(string(line))
		if i+1 < len(cases) {
			out.WriteString(",")
		}
		out.WriteString("\n")
	}
	out.WriteString("]}\n")
}
