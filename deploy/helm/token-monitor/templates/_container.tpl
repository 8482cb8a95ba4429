{{/* The monitor's container. It confines itself and nothing else: what inference may do is not its business. */}}
{{- define "token-monitor.container" -}}
- name: token-monitor
  image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  {{- if eq .Values.mode "native-sidecar" }}
  restartPolicy: Always
  # The kubelet starts inference once it has seen this container run, and looks every second. A monitor that ends
  # at once, because its settings are wrong, would hold inference back: so it waits three seconds first. To process 1
  # a SIGTERM is nothing unless it says what to do.
  command: [python, -c]
  args:
    - |
      import os, runpy, signal, time
      signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
      time.sleep(3)
      runpy.run_module("token_monitor", run_name="__main__")
  {{- end }}
  env:
    - {name: TOKEN_MONITOR_LISTEN, value: "{{ ternary "[::]" .Values.host (eq .Values.host "::") }}:{{ .Values.port }}"}
    {{- if .Values.config }}
    - {name: TOKEN_MONITOR_CONFIG, value: /etc/token-monitor/monitor.yaml}
    {{- end }}
    {{- range $name, $value := .Values.settings }}
    - {name: {{ $name | quote }}, value: {{ $value | quote }}}
    {{- end }}
    {{- range include "token-monitor.keys" . | fromJsonArray }}
    - {name: {{ . }}_FILE, value: /run/secrets/token-monitor/{{ . }}}
    {{- end }}
  ports:
    - {name: monitor, containerPort: {{ .Values.port }}}
  # No other probe: inference would wait for a startup probe, and leave its Service for a readiness probe.
  livenessProbe:
    httpGet: {path: /healthz, port: monitor}
    periodSeconds: 30
    timeoutSeconds: 5
    failureThreshold: 3
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  securityContext:
    runAsNonRoot: true
    {{- range $name, $id := .Values.securityContext }}
    {{- if not (kindIs "invalid" $id) }}
    {{ $name }}: {{ int64 $id }}
    {{- end }}
    {{- end }}
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL]}
    seccompProfile: {type: RuntimeDefault}
  volumeMounts:
    - {name: token-monitor-state, mountPath: /var/lib/token-monitor}
    - {name: token-monitor-secret, mountPath: /run/secrets/token-monitor, readOnly: true}
    {{- if .Values.config }}
    - {name: token-monitor-config, mountPath: /etc/token-monitor, readOnly: true}
    {{- end }}
    {{- if .Values.sharedFolder }}
    - {name: token-monitor-shared, mountPath: /shared}
    {{- end }}
{{- end }}

{{- define "token-monitor.volumes" -}}
{{- $optional := ne .Values.mode "watch-only" -}}
{{- if $optional -}}
# No sizeLimit: beyond it the whole Pod is evicted. Optional: what is missing stops the monitor, not inference.
{{ end -}}
- name: token-monitor-state
  {{- if .Values.persistence.enabled }}
  persistentVolumeClaim: {claimName: {{ .Release.Name | quote }}}
  {{- else if $optional }}
  emptyDir: {}
  {{- else }}
  emptyDir: {sizeLimit: 64Mi}
  {{- end }}
- name: token-monitor-secret
  secret: {secretName: {{ .Values.secret.name | quote }}{{ if $optional }}, optional: true{{ end }}}
{{- if .Values.config }}
- name: token-monitor-config
  configMap: {name: {{ .Release.Name | quote }}{{ if $optional }}, optional: true{{ end }}}
{{- end }}
{{- if .Values.sharedFolder }}
- name: token-monitor-shared
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- end }}
{{- end }}

{{/* The container that the user gives, and the shared folder. */}}
{{- define "token-monitor.inference" -}}
{{- $container := deepCopy .Values.inference.container -}}
{{- if .Values.sharedFolder }}
{{- $shared := dict "name" "token-monitor-shared" "mountPath" "/shared" "readOnly" true }}
{{- $_ := set $container "volumeMounts" (append ($container.volumeMounts | default list) $shared) }}
{{- end -}}
- name: inference
  {{- toYaml $container | nindent 2 }}
{{- end }}
