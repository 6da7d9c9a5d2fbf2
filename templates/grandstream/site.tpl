{%- comment %}
How every phone behaves. An override folder may replace this file alone. A phone that missed a check-sync asks by itself once a
day, and asks nobody whether it may.
{%- endcomment %}
    <P194>1</P194>
    <P193>1440</P193>
    <P8458>1</P8458>
    <P8375>0</P8375>
