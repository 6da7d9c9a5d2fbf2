{%- comment %}A logo on screens without colours, a background on the others. Which phone has which is unverified.{% endcomment %}
{%- if model.logo == "lcd" %}
phone_setting.lcd_logo.mode = {% if assets.logo %}2{% else %}0{% endif %}
{%- if assets.logo %}
lcd_logo.url = {{ assets.logo }}
{%- endif %}
{%- elif model.logo == "wallpaper" %}
{%- if assets.logo %}
wallpaper_upload.url = {{ assets.logo }}
phone_setting.backgrounds = Config:{{ assets.logo|split:"/"|last }}
{%- else %}
phone_setting.backgrounds = %NULL%
{%- endif %}
{%- endif %}
