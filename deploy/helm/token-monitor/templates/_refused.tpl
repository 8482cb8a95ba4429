{{/* What no schema can refuse, for it depends on two values at once. */}}
{{- define "token-monitor.refused" -}}
{{- if and (eq .Values.mode "native-sidecar") (semverCompare "<1.29.0-0" .Capabilities.KubeVersion.Version) }}
{{- fail "mode: native-sidecar needs Kubernetes 1.29; before it the monitor would hold inference back for ever. Use classic-sidecar" }}
{{- end }}
{{- $keys := include "token-monitor.keys" . | fromJsonArray }}
{{- range $name, $_ := .Values.settings }}
{{- $plain := trimSuffix "_FILE" $name }}
{{- if has $plain $keys }}
{{- fail (printf "settings.%s: %s is a key of the Secret" $name $plain) }}
{{- end }}
{{- if and (ne $plain $name) (hasKey $.Values.settings $plain) }}
{{- fail (printf "settings.%s: %s is there, too; the monitor takes one of them" $name $plain) }}
{{- end }}
{{- end }}
{{- range .Values.inference.container.ports }}
{{- if eq (int .containerPort) (int $.Values.port) }}
{{- fail (printf "port: %d is a port of inference; they share a network" (int $.Values.port)) }}
{{- end }}
{{- end }}
{{- end }}
