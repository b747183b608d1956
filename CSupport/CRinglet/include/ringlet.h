typedef int ringlet_placeholder;
